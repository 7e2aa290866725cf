-- A registry whose parts were made by hand, attached later, and tended one by one: what a partition
-- or an heir has apart from the table above it has to be there afterwards. Every person is invented.
CREATE SCHEMA attic;
CREATE FUNCTION stamps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;

-- Partitions with indexes, keys, comments, storage, defaults and switches of their own.
CREATE TABLE entry (
    id integer, gone integer, holder varchar(12), note varchar(10), tally integer DEFAULT 7,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
ALTER TABLE entry DROP gone;
CREATE TABLE attic."entry 2019" (
    note varchar(10), tally integer DEFAULT 8, holder varchar(12), id integer NOT NULL,
    CONSTRAINT "Its own key" PRIMARY KEY (id) WITH (fillfactor = 33),
    CONSTRAINT own_words CHECK (note <> 'forbidden')
);
COMMENT ON CONSTRAINT "Its own key" ON attic."entry 2019" IS 'kept by hand';
CREATE INDEX by_hand ON attic."entry 2019" (note DESC) WITH (fillfactor = 44);
COMMENT ON INDEX attic.by_hand IS 'nobody knows why';
ALTER TABLE attic."entry 2019" CLUSTER ON by_hand;
CREATE INDEX "By note" ON entry (note DESC);
CREATE INDEX by_both ON entry (holder, note);
COMMENT ON INDEX by_both IS 'of the whole';
CREATE UNIQUE INDEX of_its_rows ON attic."entry 2019" (id, holder);
ALTER TABLE attic."entry 2019" ALTER holder SET NOT NULL, ALTER note SET STORAGE EXTERNAL,
    ALTER note SET STATISTICS 33, ALTER holder SET (n_distinct = -0.5),
    REPLICA IDENTITY USING INDEX of_its_rows;
ALTER TABLE entry ATTACH PARTITION attic."entry 2019" FOR VALUES FROM (0) TO (30);
CREATE TABLE entry_rest PARTITION OF entry (tally DEFAULT 9, note DEFAULT 'rest') DEFAULT;
CREATE INDEX ON entry_rest ((holder || note), note);
ALTER INDEX entry_rest_expr_note_idx ALTER COLUMN 1 SET STATISTICS 91;
-- Each has the name that the server would have given the other.
ALTER INDEX entry_rest_holder_note_idx RENAME TO a_while;
ALTER INDEX attic."entry 2019_holder_note_idx" RENAME TO entry_rest_holder_note_idx;
ALTER INDEX a_while RENAME TO "entry 2019_holder_note_idx";
CREATE STATISTICS attic.of_both (ndistinct) ON holder, note FROM attic."entry 2019";
ALTER STATISTICS attic.of_both SET STATISTICS 5;
COMMENT ON STATISTICS attic.of_both IS 'it''s sampled';
CREATE TRIGGER stamp AFTER UPDATE ON entry FOR EACH ROW WHEN (NEW.note IS NOT NULL) EXECUTE FUNCTION stamps();
ALTER TABLE attic."entry 2019" DISABLE TRIGGER stamp;
ALTER TABLE entry_rest ENABLE ALWAYS TRIGGER stamp;
ALTER TABLE entry_rest ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON entry_rest FOR SELECT USING (note <> '' AND holder IS NOT NULL);
CREATE VIEW listed WITH (security_barrier) AS SELECT id, holder, note FROM entry WHERE note <> 'x';
CREATE VIEW counted AS SELECT count(*) AS entries, max(length(note)) AS longest FROM listed;
CREATE MATERIALIZED VIEW shown AS SELECT id, lower(note) AS note FROM listed;
CREATE UNIQUE INDEX shown_id ON shown (id);
CREATE INDEX shown_note ON shown ((note || 'x'));
ALTER INDEX shown_note ALTER COLUMN 1 SET STATISTICS 77;
CREATE STATISTICS of_shown (ndistinct) ON id, note FROM shown;
ALTER STATISTICS of_shown SET STATISTICS 12;

-- Heirs with defaults of their own; one column comes by two ways from one table.
CREATE TABLE person (id integer PRIMARY KEY, born date DEFAULT '2000-01-01', alias varchar(9));
CREATE TABLE member (PRIMARY KEY (id)) INHERITS (person);
ALTER TABLE member ALTER born SET DEFAULT '2020-02-02';
CREATE TABLE guest (PRIMARY KEY (id)) INHERITS (person);
CREATE TABLE attic.both (born date DEFAULT '2001-01-01', PRIMARY KEY (id)) INHERITS (member, guest);
ALTER TABLE guest ALTER born DROP DEFAULT, ALTER alias SET STORAGE MAIN;

INSERT INTO entry (id, holder, note, tally) SELECT i, 'holder ' || i, CASE WHEN i % 7 > 0 THEN 'note ' || i END, i
    FROM generate_series(1, 60) AS i;
INSERT INTO person SELECT i, date '1950-01-01' + i * 97, 'p' || i FROM generate_series(1, 20) AS i;
INSERT INTO member SELECT i, date '1951-01-01' + i * 97, 'm' || i FROM generate_series(1, 20) AS i;
INSERT INTO guest SELECT i, date '1952-01-01' + i * 97, 'g' || i FROM generate_series(1, 20) AS i;
INSERT INTO attic.both SELECT i, date '1953-01-01' + i * 97, 'b' || i FROM generate_series(1, 20) AS i;
REFRESH MATERIALIZED VIEW shown;
