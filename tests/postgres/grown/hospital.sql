-- A hospital whose keys are what people write on forms: numbers of patients, addresses of staff.
-- Foreign keys of every kind point to them. Every person is invented.
CREATE SCHEMA ward;
CREATE TABLE patient (number text PRIMARY KEY, born date NOT NULL, name text NOT NULL);
CREATE TABLE admission (
    patient  text NOT NULL REFERENCES patient ON UPDATE CASCADE,
    admitted date NOT NULL,
    ward     text NOT NULL,
    PRIMARY KEY (patient, admitted)
);
CREATE TABLE diagnosis (
    patient  text NOT NULL,
    admitted date NOT NULL,
    line     smallint NOT NULL,
    code     text NOT NULL,
    PRIMARY KEY (patient, admitted, line),
    CONSTRAINT diagnosis_of FOREIGN KEY (patient, admitted) REFERENCES admission ON UPDATE CASCADE
);
COMMENT ON CONSTRAINT diagnosis_of ON diagnosis IS 'a diagnosis belongs to somebody''s stay';
CREATE TABLE kin (
    id      uuid PRIMARY KEY,
    patient text NOT NULL REFERENCES patient ON UPDATE RESTRICT,
    phone   text
);
CREATE TABLE referral (
    id      bigint PRIMARY KEY,
    patient text REFERENCES patient ON UPDATE SET NULL ON DELETE SET NULL
);
CREATE TABLE invoice (
    id      integer PRIMARY KEY,
    patient text DEFAULT 'nobody' REFERENCES patient ON UPDATE SET DEFAULT
);
CREATE TABLE appointment (
    id      integer PRIMARY KEY,
    patient text REFERENCES patient DEFERRABLE INITIALLY IMMEDIATE
);
CREATE TABLE consent (id integer PRIMARY KEY, patient text);
-- Orphans of an older time, which nobody has cleared up.
INSERT INTO consent VALUES (1, 'HN-0000-gone'), (2, 'HN-0001');
ALTER TABLE consent ADD CONSTRAINT consent_of FOREIGN KEY (patient) REFERENCES patient NOT VALID;
-- No key at all, the same row more than once.
CREATE TABLE visitor (patient text REFERENCES patient, name text, came date);
CREATE TABLE ward.staff (
    address text PRIMARY KEY,
    chief   text REFERENCES ward.staff ON UPDATE CASCADE,
    ward    text
);
CREATE TABLE ward.ward (code text PRIMARY KEY, head text REFERENCES ward.staff);
ALTER TABLE ward.staff ADD CONSTRAINT works_at FOREIGN KEY (ward) REFERENCES ward.ward;
CREATE INDEX ON kin (patient);
CREATE FUNCTION stays(of text) RETURNS bigint LANGUAGE sql STABLE
    AS 'SELECT count(*) FROM public.admission WHERE patient = of';

INSERT INTO patient SELECT 'HN-' || to_char(i, 'FM0000'), date '1950-01-01' + i * 97, 'Patient the ' || i || 'th'
    FROM generate_series(1, 60) AS i;
INSERT INTO patient VALUES ('nobody', '1900-01-01', 'Nobody');
INSERT INTO admission SELECT 'HN-' || to_char(1 + i % 60, 'FM0000'), date '2023-01-01' + i, 'W' || i % 4
    FROM generate_series(1, 100) AS i;
INSERT INTO diagnosis SELECT patient, admitted, line, 'Z' || line FROM admission, generate_series(1, 2) AS line;
INSERT INTO kin SELECT md5(i::text)::uuid, 'HN-' || to_char(1 + i % 60, 'FM0000'), '+44 7700 900' || to_char(i, 'FM000')
    FROM generate_series(1, 70) AS i;
INSERT INTO referral SELECT i * 1000003, CASE WHEN i % 5 > 0 THEN 'HN-' || to_char(i, 'FM0000') END FROM generate_series(1, 60) AS i;
INSERT INTO invoice SELECT i, 'HN-' || to_char(i, 'FM0000') FROM generate_series(1, 60) AS i;
INSERT INTO appointment SELECT i, 'HN-' || to_char(i, 'FM0000') FROM generate_series(1, 60) AS i;
INSERT INTO visitor SELECT 'HN-' || to_char(1 + i % 7, 'FM0000'), 'Visitor ' || i % 3, NULL FROM generate_series(1, 40) AS i;
INSERT INTO ward.ward SELECT 'W' || i FROM generate_series(0, 3) AS i;
INSERT INTO ward.staff SELECT 'nurse' || i || '@example.com', NULL, 'W' || i % 4 FROM generate_series(1, 20) AS i;
UPDATE ward.staff SET chief = 'nurse1@example.com' WHERE address <> 'nurse1@example.com';
UPDATE ward.ward SET head = 'nurse' || (1 + substr(code, 2)::int) || '@example.com';
-- Partitions on both sides: a partitioned table that points to a key in scope, one that is pointed to.
CREATE TABLE sample (id integer, patient text REFERENCES patient ON UPDATE CASCADE, PRIMARY KEY (id))
    PARTITION BY HASH (id);
CREATE TABLE sample_0 PARTITION OF sample FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE sample_1 (patient text, id integer NOT NULL PRIMARY KEY);
ALTER TABLE sample_1 ADD CONSTRAINT one_of_its_own FOREIGN KEY (patient) REFERENCES patient ON UPDATE CASCADE;
ALTER TABLE sample ATTACH PARTITION sample_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE member (house integer, address text, PRIMARY KEY (house, address)) PARTITION BY LIST (house);
CREATE TABLE member_1 PARTITION OF member FOR VALUES IN (1);
CREATE TABLE member_other PARTITION OF member DEFAULT;
CREATE TABLE badge (id integer PRIMARY KEY, house integer, address text,
    FOREIGN KEY (house, address) REFERENCES member ON UPDATE CASCADE);
CREATE TABLE locker (id integer PRIMARY KEY, house integer, address text,
    FOREIGN KEY (house, address) REFERENCES member);
INSERT INTO sample SELECT i, 'HN-' || to_char(i, 'FM0000') FROM generate_series(1, 40) AS i;
INSERT INTO member SELECT 1 + i % 3, 'member' || i || '@example.com' FROM generate_series(1, 30) AS i;
INSERT INTO badge SELECT row_number() OVER (), house, address FROM member;
INSERT INTO locker SELECT row_number() OVER (), house, address FROM member WHERE house > 1;
