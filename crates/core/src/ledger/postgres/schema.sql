-- Version 1. `@` stands for the schema, quoted.

-- The entry in stored bytes. It never changes, so that columns can be computed with it.
CREATE FUNCTION @.entry(bytes bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT convert_from(bytes, 'UTF8')::jsonb
$$;

-- Moves are looked up by `key` and `target` of an intent and `status` of its outcome. The database computes them, so that
-- no writer can give an entry other ones, or remove them.
CREATE TABLE @.entries (
    channel text COLLATE "C" NOT NULL,
    seq bigint NOT NULL CHECK (seq >= 0),
    bytes bytea NOT NULL CHECK (octet_length(bytes) <= 32768),
    key text COLLATE "C" GENERATED ALWAYS AS (@.entry(bytes) #>> '{body,key}') STORED,
    target text COLLATE "C" GENERATED ALWAYS AS (@.entry(bytes) #>> '{body,target,digest}') STORED,
    status text COLLATE "C" GENERATED ALWAYS AS (@.entry(bytes) #>> '{body,status}') STORED,
    PRIMARY KEY (channel, seq)
);
CREATE INDEX entries_by_key ON @.entries (channel, key, seq) WHERE key IS NOT NULL;
CREATE INDEX entries_by_target ON @.entries (channel, target, seq) WHERE target IS NOT NULL;

CREATE FUNCTION @.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of a ledger are never changed or removed: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON @.entries
    FOR EACH STATEMENT EXECUTE FUNCTION @.refuse();
-- Also for replication and restores in progress, which other triggers do not fire for.
ALTER TABLE @.entries ENABLE ALWAYS TRIGGER append_only;

-- Derived data: a state of each channel. It may be emptied.
CREATE TABLE @.derived (
    channel text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (channel, name)
);

-- For people: one row for each move.
CREATE VIEW @.moves AS
WITH parsed AS NOT MATERIALIZED (
    SELECT channel, seq, convert_from(bytes, 'UTF8')::jsonb AS entry FROM @.entries
)
SELECT
    intent.channel,
    intent.seq,
    (intent.entry ->> 'at')::timestamptz AS at,
    intent.entry #>> '{body,op}' AS op,
    coalesce(outcome.entry #>> '{body,status}', 'open') AS status,
    intent.entry #>> '{body,previous}' AS previous_digest,
    intent.entry #>> '{body,target,digest}' AS target_digest,
    coalesce(intent.entry #>> '{body,source,reference}', intent.entry #>> '{body,source,channel}') AS source,
    intent.entry #>> '{body,provenance,actor,id}' AS actor,
    intent.entry #>> '{body,provenance,pipeline,provider}' AS pipeline,
    intent.entry #>> '{body,provenance,pipeline,run_id}' AS run,
    intent.entry #>> '{body,provenance,commit}' AS commit,
    intent.entry #>> '{body,provenance,release}' AS release,
    intent.entry #>> '{body,reason}' AS reason,
    intent.entry #>> '{body,key}' AS key,
    intent.entry #>> '{body,move_id}' AS move_id,
    (outcome.entry ->> 'at')::timestamptz AS closed_at,
    outcome.entry #>> '{body,error,code}' AS error,
    outcome.entry #>> '{body,error,text}' AS error_text
FROM parsed AS intent
LEFT JOIN LATERAL (
    SELECT entry FROM parsed AS later
    WHERE later.channel = intent.channel AND later.seq > intent.seq
        AND later.entry ->> 'kind' = 'outcome' AND (later.entry #>> '{body,intent_seq}')::bigint = intent.seq
    ORDER BY later.seq LIMIT 1
) AS outcome ON true
WHERE intent.entry ->> 'kind' = 'intent';
