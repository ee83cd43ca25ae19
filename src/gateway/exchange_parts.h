/* What the files of the exchange share; nobody else includes it. */
#ifndef GH_GATEWAY_EXCHANGE_PARTS_H
#define GH_GATEWAY_EXCHANGE_PARTS_H

#include "gateway/exchange.h"

/* Writing to the codec may end the exchange. Whoever goes on with it afterwards stands between
   these two, and its memory stays, as does what it is pinned to. */
void gh_exchange_enter(struct gh_exchange *exchange);
void gh_exchange_leave(struct gh_exchange *exchange);

/* Runs the stages from where they left off, and hands the request over. */
void gh_exchange_run_stages(struct gh_exchange *exchange);
/* Starts the upstream call with what there is of the body. */
void gh_exchange_start_call(struct gh_exchange *exchange);
void gh_exchange_want_turn(struct gh_exchange *exchange);
/* Nothing that is under way for this request is waited for any more. */
void gh_exchange_abandon(struct gh_exchange *exchange);

/* ---- exchange_body.c ---- */

/* Keeps bytes of the body until the upstream, or a stage, takes them. */
void gh_exchange_hold(struct gh_exchange *exchange, struct gh_str bytes);

/* ---- exchange_input.c; all but begin only where request->input is there ---- */

/* The stages are done with the head: memory for what judges the body as it comes. */
void gh_exchange_input_begin(struct gh_exchange *exchange);
/* Bytes of the body, before they go anywhere, and its end. False: the request was refused, and the
   exchange may be over. */
bool gh_exchange_input_feed(struct gh_exchange *exchange, struct gh_str bytes);
bool gh_exchange_input_finish(struct gh_exchange *exchange);
/* Sets exchange->answer_copy where the answer is observed. */
void gh_exchange_answer_copy_begin(struct gh_exchange *exchange,
                                   const struct gh_response_head *head);
/* Bytes of it; after the last ones were sent, what they are. */
void gh_exchange_answer_copy_add(struct gh_exchange *exchange, struct gh_str bytes);
void gh_exchange_answer_copy_judge(struct gh_exchange *exchange);
/* At the end of the exchange. */
void gh_exchange_input_end(struct gh_exchange *exchange);

/* ---- exchange_limits.c ---- */

/* Puts request->limit_ask; true: no answer will come, the stages can go on at once. */
bool gh_exchange_ask_limits(struct gh_exchange *exchange);
/* Nobody waits for the answer any more. */
void gh_exchange_forget_limits(struct gh_exchange *exchange);
/* While the question is out: bytes of the body, and its end. */
void gh_exchange_park_body(struct gh_exchange *exchange, struct gh_str bytes);
void gh_exchange_park_end(struct gh_exchange *exchange);

/* Puts the refusal into request->reply. False: an answer has begun, which is left whole or broken
   off, and nothing is to be sent. */
bool gh_exchange_begin_refusal(struct gh_exchange *exchange, enum gh_stage stage,
                               enum gh_reason reason);
/* Sends request->reply. */
void gh_exchange_answer(struct gh_exchange *exchange);

#endif
