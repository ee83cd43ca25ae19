#include "identity/ticket.h"

#define DATA_FIELD "tickets.data"

enum gh_err gh_ticket_issue(struct gh_tx *tx, const struct gh_identity_call *call,
                            const struct gh_ticket_request *request, struct gh_str *out_token)
{
    struct gh_str token = gh_identity_new_token(call);
    struct gh_ticket ticket = {
        .purpose = request->purpose,
        .data = gh_vault_seal(call->identity->vault, call->arena, DATA_FIELD, request->account,
                              request->data),
        .created_us = call->now_us,
        .expires_us = call->now_us + request->life_us,
    };
    if (!token.ptr || !ticket.data.ptr)
        return GH_ERR_MEMORY;
    if (request->account.len && !gh_id_parse(request->account, &ticket.account))
        return GH_ERR_INVALID;
    gh_vault_index(call->identity->vault, "ticket", token, ticket.hash);
    enum gh_err err = GH_OK;
    /* Of several processes each writes a setup token of its own, and all are good. */
    bool stays = request->purpose == GH_TICKET_CHALLENGE ||
                 (request->purpose == GH_TICKET_SETUP && call->identity->store->shared);
    if (!stays)
        err = tx->ops->tickets_delete_of(tx, request->account, request->purpose);
    if (err == GH_OK)
        err = tx->ops->ticket_insert(tx, &ticket);
    if (err == GH_OK)
        *out_token = token;
    return err;
}

enum gh_err gh_ticket_find(struct gh_tx *tx, const struct gh_identity_call *call,
                           struct gh_str token, enum gh_ticket_purpose purpose,
                           struct gh_ticket *out_ticket)
{
    uint8_t hash[GH_SHA256_BYTES];
    struct gh_ticket ticket;
    gh_vault_index(call->identity->vault, "ticket", token, hash);
    enum gh_err err = tx->ops->ticket_get(tx, hash, &ticket);
    if (err != GH_OK)
        return err;
    if (ticket.purpose != purpose || call->now_us >= ticket.expires_us)
        return GH_ERR_NOT_FOUND;
    ticket.data = gh_vault_open_field(call->identity->vault, call->arena, DATA_FIELD,
                                      gh_id_str(&ticket.account), ticket.data);
    if (!ticket.data.ptr)
        return GH_ERR_NOT_FOUND;
    *out_ticket = ticket;
    return GH_OK;
}

enum gh_err gh_ticket_missed(struct gh_tx *tx, const struct gh_ticket *ticket, unsigned tries_max)
{
    struct gh_ticket row; /* as it is stored: that of the caller has its data in clear */
    enum gh_err err = tx->ops->ticket_get(tx, ticket->hash, &row);
    if (err != GH_OK)
        return err;
    if (++row.tries >= tries_max)
        return tx->ops->ticket_delete(tx, ticket->hash);
    return tx->ops->ticket_update(tx, &row);
}
