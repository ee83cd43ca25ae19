"""The charts of deploy/helm and the manifests of deploy/kubernetes, which are what the charts give."""

import copy
import http.client
import json
import shutil
import subprocess

import pytest
import yaml

import chart
from chart import CHARTS, DEPLOYED, MANIFESTS, read_values
from harness.consumer import Consumer, wait_until
from harness.gate import ROOT, free_port, run

GATEHOUSE_VALUES = read_values(CHARTS / "vote" / "gatehouse-values.yaml")


def objects(name):
    """The objects of a manifest file: {(kind, name): object}."""
    text = (MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8")
    return by_name(yaml.safe_load_all(text))


def by_name(documents):
    found = {}
    for document in documents:
        key = (document["kind"], document["metadata"]["name"])
        assert key not in found, key
        found[key] = document
    return found


def pods(documents):
    """{name: the pod's spec} of everything that runs."""
    return {
        name: document["spec"]["template"]["spec"]
        for (_, name), document in documents.items()
        if "template" in document.get("spec", {})
    }


def labels_of_pods(documents):
    return {
        name: document["spec"]["template"]["metadata"]["labels"]
        for (_, name), document in documents.items()
        if "template" in document.get("spec", {})
    }


def matches(selector, labels):
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())


ALL = {name: objects(name) for name in DEPLOYED}
EVERY_POD = {key: spec for documents in ALL.values() for key, spec in pods(documents).items()}
EVERY_LABEL = {k: v for documents in ALL.values() for k, v in labels_of_pods(documents).items()}


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_manifests_are_what_the_charts_give(name):
    written = (MANIFESTS / f"{name}.yaml").read_text(encoding="utf-8")
    assert written == chart.manifest(name), "run tests/deploy/chart.py --write"


@pytest.mark.parametrize("name", DEPLOYED)
def test_helm_gives_the_same(name):
    if not shutil.which("helm"):
        pytest.skip("there is no helm")
    folder, values = DEPLOYED[name]
    command = ["helm", "template", name, str(CHARTS / folder), "--namespace", chart.NAMESPACE]
    command += ["-f", str(CHARTS / values)] if values else []
    given = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert by_name(filter(None, yaml.safe_load_all(given))) == ALL[name]


def test_what_there_is():
    assert set(ALL["vote"]) == {
        ("ConfigMap", "vote-consumer"),
        ("Deployment", "vote"),
        ("Deployment", "vote-consumer"),
        ("Job", "vote-schema"),
        ("NetworkPolicy", "vote"),
        ("NetworkPolicy", "vote-workers"),
        ("PodDisruptionBudget", "vote"),
        ("Service", "vote"),
        ("ServiceAccount", "vote"),
    }
    assert set(ALL["gatehouse"]) == {
        (kind, "gatehouse")
        for kind in ("ConfigMap", "Deployment", "Ingress", "NetworkPolicy", "PodDisruptionBudget",
                     "Service", "ServiceAccount")
    }


def test_the_consumer_is_a_deployment_of_one_with_the_resources_of_the_specification():
    consumer = ALL["vote"]["Deployment", "vote-consumer"]["spec"]
    assert consumer["replicas"] == 1
    (container,) = consumer["template"]["spec"]["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "200m", "memory": "256Mi"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }
    assert container["args"] == ["consume", "--config", "/etc/gatehouse/gatehouse.yaml"]
    values = read_values(CHARTS / "vote" / "values.yaml")["consumer"]
    assert values["replicas"] == 1
    assert values["resources"] == container["resources"]


def test_the_consumer_reads_votes_as_vote_processors_and_calls_increment_vote():
    data = ALL["vote"]["ConfigMap", "vote-consumer"]["data"]
    settings = yaml.safe_load(data["gatehouse.yaml"])
    assert settings["consume"] == [
        {
            "stream": "votes",
            "group": "vote-processors",
            "statement": "SELECT increment_vote($1)",
            "fields": ["option"],
            "metrics": "0.0.0.0:9464",
        }
    ]
    assert settings["store"] == "${DATABASE_URL}"
    assert settings["redis"] == "${REDIS_URL}"


@pytest.mark.parametrize("name", EVERY_POD)
def test_every_pod_satisfies_the_restricted_standard(name):
    spec = EVERY_POD[name]
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == security["runAsGroup"] == 1000
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    for member in ("hostNetwork", "hostPID", "hostIPC", "initContainers"):
        assert member not in spec
    for volume in spec.get("volumes", []):
        assert set(volume) - {"name"} <= {"configMap", "emptyDir"}, volume
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container.get("ports", []))
        assert set(container["resources"]) == {"requests", "limits"}
        for amounts in container["resources"].values():
            assert set(amounts) == {"cpu", "memory"}
        assert not container["image"].endswith((":latest", ":"))


@pytest.mark.parametrize("name", ["vote", "gatehouse"])
def test_whoever_answers_has_probes(name):
    (container,) = EVERY_POD[name]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    wait = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert EVERY_POD[name]["terminationGracePeriodSeconds"] >= wait + 30  # the drain's bound


def test_the_consumer_has_probes_where_its_metrics_listen(tmp_path):
    (container,) = EVERY_POD["vote-consumer"]["containers"]
    assert container["startupProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    (port,) = container["ports"]
    assert port["name"] == "metrics"
    data = ALL["vote"]["ConfigMap", "vote-consumer"]["data"]
    (entry,) = yaml.safe_load(data["gatehouse.yaml"])["consume"]
    assert entry["metrics"] == f"0.0.0.0:{port['containerPort']}"
    changed = by_name(chart.render("vote", {"consumer": {"metricsPort": 7777}}))
    (deployment,) = [v for (kind, n), v in changed.items() if kind == "Deployment" and "consumer" in n]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"name": "metrics", "containerPort": 7777}]


def test_the_consumer_starts_with_its_configuration_and_answers_the_probes(tmp_path):
    (container,) = EVERY_POD["vote-consumer"]["containers"]
    data = ALL["vote"]["ConfigMap", "vote-consumer"]["data"]["gatehouse.yaml"]
    settings = yaml.safe_load(data)
    settings["environment"] = "development"  # for URLs of this machine
    port = free_port()
    settings["consume"][0]["metrics"] = f"127.0.0.1:{port}"
    consumer = Consumer(tmp_path / "gatehouse.yaml", settings, env={
        "DATABASE_URL": f"postgresql://vote@127.0.0.1:{free_port()}/vote",
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}"})
    try:
        def status(probe):
            path = container[probe]["httpGet"]["path"]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            except OSError:
                return None
            finally:
                connection.close()
        wait_until(lambda: status("startupProbe") == 200, "the listener")
        assert status("livenessProbe") == 200
        assert status("readinessProbe") == 503  # neither Redis nor the database is there
    finally:
        assert consumer.stop() == 0


def test_secrets_come_from_secrets_only():
    for name in ("vote", "vote-consumer", "vote-schema", "gatehouse"):
        (container,) = EVERY_POD[name]["containers"]
        variables = {variable["name"]: variable for variable in container["env"]}
        for secret in {"DATABASE_URL", "REDIS_URL"} & set(variables):
            reference = variables[secret]["valueFrom"]["secretKeyRef"]
            assert reference == {"name": "vote", "key": secret}
            assert "value" not in variables[secret]
        assert "DATABASE_URL" in variables or name == "gatehouse"
    text = "".join(path.read_text() for path in MANIFESTS.glob("*.yaml"))
    assert "kind: Secret" not in text
    assert "password" not in text.lower()


def test_selectors_find_their_own_pods_and_no_others():
    expected = {
        ("Deployment", "vote"): {"vote"},
        ("Deployment", "vote-consumer"): {"vote-consumer"},
        ("Deployment", "gatehouse"): {"gatehouse"},
        ("PodDisruptionBudget", "vote"): {"vote"},
        ("PodDisruptionBudget", "gatehouse"): {"gatehouse"},
        ("NetworkPolicy", "vote"): {"vote"},
        ("NetworkPolicy", "vote-workers"): {"vote-consumer", "vote-schema"},
        ("NetworkPolicy", "gatehouse"): {"gatehouse"},
        ("Service", "vote"): {"vote"},
        ("Service", "gatehouse"): {"gatehouse"},
    }
    found = {}
    for documents in ALL.values():
        for key, document in documents.items():
            spec = document.get("spec", {})
            selector = spec.get("podSelector") or spec.get("selector")
            if selector is None:
                continue
            if key[0] == "Service":
                selector = {"matchLabels": selector}
            found[key] = {n for n, labels in EVERY_LABEL.items() if matches(selector, labels)}
    assert found == expected


def test_only_gatehouse_reaches_the_service_and_only_the_ingress_gatehouse():
    (rule,) = ALL["vote"]["NetworkPolicy", "vote"]["spec"]["ingress"]
    (peer,) = rule["from"]
    assert matches(peer["podSelector"], EVERY_LABEL["gatehouse"])
    assert "namespaceSelector" not in peer
    assert rule["ports"] == [{"port": "http"}]
    assert "ingress" not in ALL["vote"]["NetworkPolicy", "vote-workers"]["spec"]
    rules = ALL["gatehouse"]["NetworkPolicy", "gatehouse"]["spec"]["ingress"]
    opened = {
        rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]:
        [port["port"] for port in rule["ports"]] for rule in rules
    }
    assert opened == {"ingress-nginx": ["http"], "monitoring": ["metrics"]}
    for documents in ALL.values():
        for (kind, _), document in documents.items():
            if kind == "NetworkPolicy":
                assert document["spec"]["policyTypes"] == ["Ingress", "Egress"]
                assert document["spec"]["egress"]
                assert {} not in document["spec"]["egress"]


def test_gatehouse_may_reach_the_service():
    rules = ALL["gatehouse"]["NetworkPolicy", "gatehouse"]["spec"]["egress"]
    ports = [
        port["port"]
        for rule in rules
        for peer in rule["to"]
        if peer["podSelector"] and matches(peer["podSelector"], EVERY_LABEL["vote"]) and "namespaceSelector" not in peer
        for port in rule["ports"]
    ]
    assert ports == [8000]


def test_the_consumer_may_be_moved_and_the_rest_stays_up():
    for name in ("vote", "gatehouse"):
        assert ALL[name]["PodDisruptionBudget", name]["spec"]["minAvailable"] == 1
        deployment = ALL[name]["Deployment", name]["spec"]
        assert deployment["replicas"] == 2
        assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def gatehouse_settings():
    data = ALL["gatehouse"]["ConfigMap", "gatehouse"]["data"]
    return yaml.safe_load(data["gatehouse.yaml"])


def test_the_configuration_is_example_d_with_the_addresses_of_a_pod():
    settings = gatehouse_settings()
    example = yaml.safe_load((ROOT / "examples" / "d-vote.yaml").read_text())
    assert settings.pop("listen") == [{"address": "0.0.0.0:8080"}]
    assert settings.pop("admin_listen") == "0.0.0.0:9090"
    assert example.pop("listen")
    assert settings == example


def test_gatehouse_takes_the_configuration(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(ALL["gatehouse"]["ConfigMap", "gatehouse"]["data"]["gatehouse.yaml"])
    (container,) = EVERY_POD["gatehouse"]["containers"]
    secrets = {"REDIS_URL": "redis://gatehouse:quarry-maple-drift@redis:6379"}
    env = {v["name"]: v.get("value") or secrets[v["name"]] for v in container["env"]}
    result = run("check", "--config", path, env=env)
    assert result.returncode == 0, result.stdout + result.stderr


def test_gatehouse_takes_the_charts_own_configuration(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    documents = by_name(chart.render("gatehouse"))
    path.write_text(documents["ConfigMap", "gatehouse"]["data"]["gatehouse.yaml"])
    result = run("check", "--config", path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert ("Ingress", "gatehouse") not in documents


def test_another_configuration_is_another_pod():
    changed = copy.deepcopy(GATEHOUSE_VALUES)
    changed["config"]["limits"]["request_body"] = "2MiB"
    key = ("Deployment", "gatehouse")
    before = ALL["gatehouse"][key]["spec"]["template"]["metadata"]["annotations"]
    after = by_name(chart.render("gatehouse", changed))[key]["spec"]["template"]["metadata"]
    assert before["checksum/config"] != after["annotations"]["checksum/config"]


def test_values_change_what_they_say():
    values = {
        "options": 'one,"two"',
        "once": "user",
        "replicas": 5,
        "image": {"repository": "registry.example.com/vote", "tag": "7"},
        "consumer": {"fields": ["option", "user"], "statement": "SELECT increment_vote($1, $2)"},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "schemaJob": {"enabled": False},
        "secrets": {"database": {"name": "elsewhere"}},
    }
    documents = by_name(chart.render("vote", values, release="poll"))
    assert set(documents) == {
        ("ConfigMap", "poll-consumer"), ("Deployment", "poll"), ("Deployment", "poll-consumer"),
        ("Service", "poll"), ("ServiceAccount", "poll"),
    }
    deployment = documents["Deployment", "poll"]["spec"]
    assert deployment["replicas"] == 5
    (container,) = deployment["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/vote:7"
    variables = {variable["name"]: variable for variable in container["env"]}
    assert variables["VOTE_OPTIONS"]["value"] == 'one,"two"'
    assert variables["VOTE_ONCE"]["value"] == "user"
    reference = variables["DATABASE_URL"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "elsewhere", "key": "DATABASE_URL"}
    data = documents["ConfigMap", "poll-consumer"]["data"]["gatehouse.yaml"]
    assert yaml.safe_load(data)["consume"][0]["fields"] == ["option", "user"]
    assert ("Deployment", "vote-consumer") not in documents
    without = by_name(chart.render("vote", {"consumer": {"enabled": False}}))
    assert not any("consumer" in name for _, name in without)


def test_variables_and_secrets_of_gatehouse():
    values = {
        "env": {"ENVIRONMENT": "production", "NUMBER": 7},
        "secretEnv": [{"name": "APP_SECRET_KEY", "secret": "keys", "key": "root"}],
        "state": {"claim": "accounts"},
    }
    spec = by_name(chart.render("gatehouse", values))["Deployment", "gatehouse"]["spec"]
    pod = spec["template"]["spec"]
    assert pod["containers"][0]["env"] == [
        {"name": "ENVIRONMENT", "value": "production"},
        {"name": "NUMBER", "value": "7"},
        {"name": "APP_SECRET_KEY",
         "valueFrom": {"secretKeyRef": {"name": "keys", "key": "root"}}},
    ]
    state = next(volume for volume in pod["volumes"] if volume["name"] == "state")
    assert state == {"name": "state", "persistentVolumeClaim": {"claimName": "accounts"}}
    plain = by_name(chart.render("gatehouse"))["Deployment", "gatehouse"]["spec"]
    assert "env" not in plain["template"]["spec"]["containers"][0]


def test_ports_are_the_same_all_the_way():
    (container,) = EVERY_POD["vote"]["containers"]
    listen = next(v["value"] for v in container["env"] if v["name"] == "LISTEN")
    assert container["ports"] == [{"name": "http", "containerPort": int(listen.rsplit(":")[-1])}]
    (port,) = ALL["vote"]["Service", "vote"]["spec"]["ports"]
    assert port["targetPort"] == "http"
    (gate,) = EVERY_POD["gatehouse"]["containers"]
    backend = next(v["value"] for v in gate["env"] if v["name"] == "BACKEND")
    assert backend == f"http://vote:{port['port']}"
    ports = {port["name"]: port["containerPort"] for port in gate["ports"]}
    settings = gatehouse_settings()
    assert settings["listen"][0]["address"].endswith(f":{ports['http']}")
    assert settings["admin_listen"].endswith(f":{ports['metrics']}")


def test_charts_are_of_the_projects_version():
    listed = run("--version").stdout
    for name in DEPLOYED:
        about = read_values(CHARTS / name / "Chart.yaml")
        assert about["apiVersion"] == "v2"
        assert about["appVersion"] in listed, json.dumps(about)
