-- The voting service in PostgreSQL. May be applied again: nothing is lost or counted twice.
--
-- Votes of the stream are added up by `gatehouse consume`, which calls increment_vote and notes the
-- entry's id in one transaction, so that an entry that is delivered again counts once. Of who voted
-- only the fact is kept, never for what.
--
-- The functions run with the rights of who applies this file, so that the consumer needs no more
-- than EXECUTE, and the service no more than SELECT on votes (README.md, production checklist).
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('vote schema'));

CREATE TABLE IF NOT EXISTS public.votes (
    option text PRIMARY KEY CHECK (octet_length(option) BETWEEN 1 AND 64),
    count bigint NOT NULL DEFAULT 0 CHECK (count >= 0)
);

CREATE TABLE IF NOT EXISTS public.voters (
    voter text PRIMARY KEY CHECK (octet_length(voter) BETWEEN 1 AND 128)
);

-- Adds one to an option and returns how many votes it has now.
CREATE OR REPLACE FUNCTION public.increment_vote(choice text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO votes AS v (option, count) VALUES (choice, 1)
    ON CONFLICT (option) DO UPDATE SET count = v.count + 1
    RETURNING v.count
$$;

-- The same for somebody whose first vote alone counts: the key of voters decides, whoever calls and
-- however often.
CREATE OR REPLACE FUNCTION public.increment_vote(choice text, by_voter text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO voters (voter) VALUES (by_voter) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN increment_vote(choice);
    END IF;
    RETURN coalesce((SELECT v.count FROM votes v WHERE v.option = choice), 0);
END
$$;

REVOKE ALL ON FUNCTION public.increment_vote(text), public.increment_vote(text, text) FROM PUBLIC;
COMMIT;
