"""Several gatehouse processes over one database."""

import copy

from .gate import free_port
from .identity import ENV, identity_config

MANY = {
    name: {"limit": "100000/second"}
    for name in ("login", "signup", "two_factor", "refresh", "reset", "reset_token", "password")
}


def node_config(backend, folder, store, identity=None, **changes):
    """What all nodes have in common; each gets ports of its own by settings_of."""
    settings = identity_config(backend, folder, identity, **{"rate_limits": MANY, **changes})
    settings["store"] = store
    return settings


def settings_of(settings, **changes):
    own = copy.deepcopy(settings)
    own["listen"][0]["address"] = f"127.0.0.1:{free_port()}"
    own["admin_listen"] = f"127.0.0.1:{free_port()}"
    own.update(changes)
    return own


def start_nodes(start, settings, count, **changes):
    return [start(settings_of(settings, **changes), env=ENV) for _ in range(count)]


def at(person, gate):
    """The same browser, sent to another node by the balancer."""
    person.gate = gate
    return person
