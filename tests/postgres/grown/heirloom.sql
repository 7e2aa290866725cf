-- A database that was handed on: settings made for programs that are long gone, names that hide the
-- server's own, objects in the way of everything. Every person is invented.
DO $$
DECLARE setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY[
        'DateStyle = ''SQL, DMY''', 'IntervalStyle = sql_standard', 'TimeZone = ''Asia/Kathmandu''',
        'bytea_output = escape', 'extra_float_digits = -10', 'standard_conforming_strings = off',
        'array_nulls = off', 'transform_null_equals = on', 'quote_all_identifiers = on',
        'xmloption = document', 'backslash_quote = off', 'client_encoding = LATIN1',
        'default_transaction_isolation = serializable', 'default_transaction_deferrable = on',
        'statement_timeout = ''30s''', 'lock_timeout = ''50ms''', 'search_path = hidden, public',
        'row_security = off', 'client_min_messages = debug1', 'plan_cache_mode = force_generic_plan',
        'synchronous_commit = off', 'session_replication_role = replica', 'enable_indexscan = off'
    ] LOOP
        EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
    END LOOP;
END $$;
CREATE SCHEMA hidden;
CREATE DOMAIN hidden.text AS pg_catalog.text CHECK (VALUE <> 'x');
CREATE DOMAIN public.xid AS integer;
CREATE DOMAIN public.tid AS integer;
CREATE FUNCTION hidden.lower(pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql AS 'SELECT ''hidden''::pg_catalog.text';
CREATE FUNCTION hidden.never(pg_catalog.text, pg_catalog.text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR hidden.= (LEFTARG = pg_catalog.text, RIGHTARG = pg_catalog.text, FUNCTION = hidden.never);
CREATE FUNCTION public.octet_length(varchar) RETURNS integer LANGUAGE sql AS 'SELECT 1 / 0';
CREATE TABLE hidden.pg_class (oid integer);
CREATE TABLE heirloom (
    name text PRIMARY KEY, email varchar(20), born date, wait interval, photo bytea, worth float8,
    seen timestamptz, aliases text[], remark text, checked text CHECK (checked = NULL OR checked <> 'x')
);
CREATE VIEW unknown AS SELECT email, name FROM heirloom WHERE remark IS NULL;
CREATE TABLE owner (heirloom text REFERENCES heirloom ON UPDATE CASCADE, id integer PRIMARY KEY);
INSERT INTO heirloom SELECT 'heirloom ' || i, 'person' || i || '@example', date '1924-02-01' + i,
        i * interval '1 year 1 day -1 hour', decode(md5(i::text), 'hex'), i / 7.0::float8,
        timestamptz '2024-01-01 00:00+00' + i * interval '1 hour 1 microsecond',
        ARRAY['NULL', 'null', NULL, 'alias ' || i], CASE i % 3 WHEN 1 THEN '' WHEN 2 THEN 'NULL' END, 'c' || i
    FROM generate_series(1, 40) AS i;
INSERT INTO owner SELECT name, row_number() OVER () FROM heirloom;
