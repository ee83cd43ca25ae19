/*
 * libpq, loaded when the first PostgreSQL store is opened: a machine that keeps its accounts in
 * SQLite need not have it. Types come from its header, functions from this table alone.
 */
#ifndef GH_STORE_POSTGRES_LIBPQ_H
#define GH_STORE_POSTGRES_LIBPQ_H

#include <libpq-fe.h>

/* X(member, result, parameters): the function PQmember. */
#define GH_LIBPQ_FUNCTIONS(X)                                                                      \
    X(initOpenSSL, void, (int do_ssl, int do_crypto))                                              \
    X(isthreadsafe, int, (void))                                                                   \
    X(libVersion, int, (void))                                                                     \
    X(conninfoParse, PQconninfoOption *, (const char *conninfo, char **errmsg))                    \
    X(conninfoFree, void, (PQconninfoOption * options))                                            \
    X(freemem, void, (void *memory))                                                               \
    X(connectdbParams, PGconn *,                                                                   \
      (const char *const *keywords, const char *const *values, int expand_dbname))                 \
    X(finish, void, (PGconn * connection))                                                         \
    X(status, ConnStatusType, (const PGconn *connection))                                          \
    X(transactionStatus, PGTransactionStatusType, (const PGconn *connection))                      \
    X(errorMessage, char *, (const PGconn *connection))                                            \
    X(serverVersion, int, (const PGconn *connection))                                              \
    X(parameterStatus, const char *, (const PGconn *connection, const char *name))                 \
    X(setNoticeProcessor, PQnoticeProcessor,                                                       \
      (PGconn * connection, PQnoticeProcessor processor, void *context))                           \
    X(exec, PGresult *, (PGconn * connection, const char *sql))                                    \
    X(enterPipelineMode, int, (PGconn * connection))                                               \
    X(exitPipelineMode, int, (PGconn * connection))                                                \
    X(pipelineSync, int, (PGconn * connection))                                                    \
    X(sendQuery, int, (PGconn * connection, const char *sql))                                      \
    X(sendPrepare, int,                                                                            \
      (PGconn * connection, const char *name, const char *sql, int count, const Oid *types))       \
    X(sendQueryPrepared, int,                                                                      \
      (PGconn * connection, const char *name, int count, const char *const *values,                \
       const int *lengths, const int *formats, int result_format))                                 \
    X(sendQueryParams, int,                                                                        \
      (PGconn * connection, const char *sql, int count, const Oid *types,                          \
       const char *const *values, const int *lengths, const int *formats, int result_format))      \
    X(socket, int, (const PGconn *connection))                                                     \
    X(flush, int, (PGconn * connection))                                                           \
    X(consumeInput, int, (PGconn * connection))                                                    \
    X(isBusy, int, (PGconn * connection))                                                          \
    X(getResult, PGresult *, (PGconn * connection))                                                \
    X(resultStatus, ExecStatusType, (const PGresult *result))                                      \
    X(resultErrorField, char *, (const PGresult *result, int field))                               \
    X(clear, void, (PGresult * result))                                                            \
    X(ntuples, int, (const PGresult *result))                                                      \
    X(nfields, int, (const PGresult *result))                                                      \
    X(getvalue, char *, (const PGresult *result, int row, int column))                             \
    X(getlength, int, (const PGresult *result, int row, int column))                               \
    X(getisnull, int, (const PGresult *result, int row, int column))                               \
    X(cmdTuples, char *, (PGresult * result))                                                      \
    X(cmdStatus, char *, (PGresult * result))                                                      \
    X(putCopyData, int, (PGconn * connection, const char *bytes, int count))                       \
    X(putCopyEnd, int, (PGconn * connection, const char *message))                                 \
    X(getCopyData, int, (PGconn * connection, char **out_bytes, int async))

struct gh_libpq {
#define X(member, result, parameters) result(*member) parameters;
    GH_LIBPQ_FUNCTIONS(X)
#undef X
};

/* NULL: it is not on this machine, or older than version 14. From any thread. */
const struct gh_libpq *gh_libpq_get(void);

#endif
