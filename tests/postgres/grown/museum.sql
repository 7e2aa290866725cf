-- A museum whose tables nobody dares to touch: keys that sort as people of several tongues do, names
-- that SQL and our own statements use for something else, objects of every kind hanging on everything.
-- Every person is invented.
CREATE SCHEMA "naïve.schema";
CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION counted (provider = icu, locale = 'und-u-kn-true');
CREATE TYPE mood AS ENUM ('calm', 'cross', 'it''s "fine"');
CREATE DOMAIN phones AS text[] CHECK (array_length(VALUE, 1) <= 3);
CREATE DOMAIN plain_address AS text CHECK (VALUE !~ '\s');
CREATE DOMAIN address AS plain_address NOT NULL CHECK (VALUE LIKE '%@%');

-- Natural keys: a name in the order of a phone book, a shelf in the order of numbers within words.
CREATE TABLE public.donor (
    name   text COLLATE german PRIMARY KEY,
    email  address,
    phones phones,
    mood   mood NOT NULL DEFAULT 'calm',
    words  tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(remark, ''))) STORED,
    remark text,
    EXCLUDE USING btree (name WITH =)
);
CREATE INDEX donor_words ON donor USING gin (words);
CREATE INDEX donor_remark ON donor USING hash (remark);
CREATE STATISTICS donor_moods (dependencies) ON mood, remark FROM donor;
COMMENT ON COLUMN donor.remark IS 'what the ''old'' staff said';
ALTER TABLE donor ALTER remark SET STORAGE EXTERNAL, ALTER remark SET STATISTICS 7;
ALTER TABLE donor SET (fillfactor = 70, autovacuum_enabled = off);
ALTER TABLE donor CLUSTER ON donor_pkey;
CREATE TABLE public.shelf (
    room  text COLLATE counted,
    level smallint,
    code  uuid DEFAULT '00000000-0000-0000-0000-000000000000',
    guard text COLLATE german,
    PRIMARY KEY (room, level, code)
);
-- A key that is in scope itself, under a collation that calls unlike texts equal in part only.
CREATE TABLE public.guest (address text COLLATE german PRIMARY KEY, stays integer NOT NULL);
CREATE TABLE public.stay (
    guest text COLLATE german REFERENCES guest ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
    night date,
    during tsrange,
    PRIMARY KEY (guest, night),
    EXCLUDE USING gist (during WITH &&)
);

-- Words of SQL, and of the statements that walk and write: every one of them a column.
CREATE TABLE "naïve.schema"."user" (
    "select" bigint GENERATED ALWAYS AS IDENTITY,
    "k0" text NOT NULL, "c0" text, "o0" text, "place" text, "writer" text, "before" text, "new" text,
    "old" text, "t" text, "s" text, "r" text, "xid" text, "$1" text, "{theirs}" text,
    "a ""quoted"" \ name; --" text, "🗝" text, "ÄÖÜ äöü ß" text,
    "a_name_that_is_as_long_as_the_server_allows_it_to_be_0123456789" text,
    PRIMARY KEY ("k0", "select")
);
CREATE TABLE public."table" ("order" integer PRIMARY KEY, "from" text, "group" text);
CREATE UNIQUE INDEX "limit" ON "table" ("from") WHERE "group" IS NOT NULL;
CREATE TABLE empty_parts (id integer, "values" text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE empty_parts_1 PARTITION OF empty_parts FOR VALUES FROM (0) TO (10);

-- Partitions under views under views, with rules and INSTEAD OF triggers on top.
CREATE TABLE public.visit (id bigint, day date NOT NULL, visitor text, note varchar(20), PRIMARY KEY (day, id))
    PARTITION BY RANGE (day);
CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2024-01-01') PARTITION BY LIST (id);
CREATE TABLE visit_old_even PARTITION OF visit_old FOR VALUES IN (2, 4, 6, 8, 10, 12, 14, 16, 18, 20);
CREATE TABLE visit_old_rest PARTITION OF visit_old DEFAULT;
CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2024-01-01') TO (MAXVALUE);
CREATE INDEX visit_by_visitor ON visit (visitor, note);
CREATE VIEW visits AS SELECT day, id, visitor AS who, note FROM visit WITH CASCADED CHECK OPTION;
CREATE VIEW recent AS SELECT who, count(*) AS times, max(note) AS note FROM visits WHERE day > '2023-12-01' GROUP BY who;
CREATE VIEW loud AS SELECT upper('x') AS x, r.times, r.note FROM recent r;
COMMENT ON VIEW loud IS 'nobody remembers';
CREATE FUNCTION put_visit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.visit VALUES (NEW.times, '2024-06-06', NEW.who, NEW.note); RETURN NEW; END $$;
CREATE TRIGGER put INSTEAD OF INSERT ON recent FOR EACH ROW EXECUTE FUNCTION put_visit();
CREATE RULE mute AS ON DELETE TO loud DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW busy AS SELECT times, note FROM loud WHERE times > 0 WITH NO DATA;
GRANT SELECT (times) ON recent TO PUBLIC;

-- A trigger that waits for the end of its transaction, and names a table without its schema.
CREATE TABLE public.tally (n bigint);
CREATE FUNCTION tallies() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO tally VALUES ((SELECT coalesce(max(n), 0) + 1 FROM tally));
        DELETE FROM tally WHERE n > 0;
        RETURN NULL;
    END $$;
CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON shelf DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION tallies();
-- A check whose function names a table without its schema.
CREATE FUNCTION is_allowed(text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
    BEGIN RETURN NOT EXISTS (SELECT FROM tally WHERE n::text = $1); END $$;
ALTER TABLE "table" ADD CONSTRAINT allowed CHECK (is_allowed("from"));

-- As many columns as a table may have.
DO $$ BEGIN EXECUTE 'CREATE TABLE wide (id integer PRIMARY KEY, email text, '
    || (SELECT string_agg('c' || i || ' boolean', ', ') FROM generate_series(1, 1598) AS i) || ')'; END $$;
CREATE UNLOGGED TABLE cache (id integer PRIMARY KEY, email text);

INSERT INTO donor (name, email, phones, mood, remark)
    SELECT (ARRAY['Müller', 'Mueller', 'Muller', 'Ärger', 'Aerger', 'Zoë', 'ångström', 'œuvre', 'ǅungla', 'i̇'])[1 + i % 10] || ' ' || i,
           'donor' || i || '@example.com',
           CASE WHEN i % 3 > 0 THEN ARRAY['+44 7700 900' || to_char(i, 'FM000'), 'a,"b" {c} \ ' || i]::text[] END,
           (enum_range(NULL::mood))[1 + i % 3], 'said that ' || i || E' is\n\t"enough"'
    FROM generate_series(1, 60) AS i;
INSERT INTO shelf SELECT 'Room ' || i % 12, i % 4, md5(i::text)::uuid, 'Wächter ' || i FROM generate_series(1, 90) AS i;
INSERT INTO guest SELECT (ARRAY['ä', 'Ä', 'ae', 'z'])[1 + i % 4] || i || '@example.com', i FROM generate_series(1, 30) AS i;
INSERT INTO stay SELECT address, date '2024-01-01' + stays, tsrange(timestamp '2024-01-01' + stays * interval '1 day',
    timestamp '2024-01-02' + stays * interval '1 day') FROM guest;
INSERT INTO "naïve.schema"."user" ("k0", "c0", "o0", "place", "writer", "before", "new", "old", "t", "s", "r", "xid", "$1",
        "{theirs}", "a ""quoted"" \ name; --", "🗝", "ÄÖÜ äöü ß", "a_name_that_is_as_long_as_the_server_allows_it_to_be_0123456789")
    SELECT 'key ' || i, 'c0 ' || i, 'o0 ' || i, 'place ' || i, 'writer ' || i, 'before ' || i, 'new ' || i, 'old ' || i,
           't ' || i, 's ' || i, 'r ' || i, 'xid ' || i, 'dollar ' || i, 'braces ' || i, 'quoted ' || i, '🔑 ' || i,
           'Umlaut ' || i, 'long ' || i FROM generate_series(1, 40) AS i;
INSERT INTO "table" SELECT i, 'from' || i || '@example.com', CASE WHEN i % 2 = 0 THEN 'g' END FROM generate_series(-5, 20) AS i;
INSERT INTO visit SELECT i, date '2023-11-01' + i * 3, 'visitor' || i % 15 || '@example.com', 'note ' || i FROM generate_series(1, 50) AS i;
INSERT INTO wide (id, email, c1, c1598) SELECT i, 'wide' || i || '@example.com', true, false FROM generate_series(1, 20) AS i;
INSERT INTO cache SELECT i, 'cache' || i || '@example.com' FROM generate_series(1, 10) AS i;
