/*
 * The SQL of the PostgreSQL adapter's audit log: X(name, READS or WRITES, SQL), as those of
 * postgres_statements.h, which includes this one.
 */
#ifndef GH_STORE_POSTGRES_AUDIT_STATEMENTS_H
#define GH_STORE_POSTGRES_AUDIT_STATEMENTS_H

#define GH_POSTGRES_AUDIT_STATEMENTS(X)

#endif
