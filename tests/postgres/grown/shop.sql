-- A shop that was written by many hands: names that need quotes, domains and enums as keys, text
-- without case, inheritance, views on views, a table without a key. Every person is invented.
CREATE SCHEMA "Kunden-Daten";
CREATE EXTENSION citext;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN article AS text CHECK (VALUE ~ '^[A-Z]{2}[0-9]+$');
CREATE DOMAIN address AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE state AS ENUM ('new', 'paid', 'sent');
CREATE TABLE "Kunden-Daten"."Order" (
    "select" article,
    "Größe"  state,
    "e""mail" address,
    note     text,
    PRIMARY KEY ("select", "Größe")
);
CREATE TABLE account (login citext PRIMARY KEY, email text NOT NULL, seen timestamptz);
CREATE TABLE nickname (nick text COLLATE ci PRIMARY KEY, email text);
CREATE TABLE party (id bigint PRIMARY KEY, email text);
CREATE TABLE human (born date) INHERITS (party);
CREATE TABLE staff (badge uuid NOT NULL UNIQUE, desk integer) INHERITS (human);
-- No key that counts: unique only in part, over an expression, where not NULL, or at the end.
CREATE TABLE basket (
    a integer UNIQUE, b integer NOT NULL, c integer NOT NULL UNIQUE DEFERRABLE, d text NOT NULL, email text
);
CREATE UNIQUE INDEX ON basket (b) WHERE b > 0;
CREATE UNIQUE INDEX ON basket (lower(d));
CREATE TABLE goods (code article PRIMARY KEY, title text NOT NULL, words tsvector);
CREATE INDEX ON goods USING gin (words);
CREATE VIEW orders AS SELECT "select" AS article, "Größe" AS state, "e""mail" AS email FROM "Kunden-Daten"."Order";
CREATE VIEW open_orders AS SELECT * FROM orders WHERE state <> 'sent';
CREATE VIEW buyers AS SELECT a.login, o.article FROM account a JOIN open_orders o ON o.email::text = a.email;
CREATE MATERIALIZED VIEW bought AS SELECT article, count(*) AS orders FROM buyers GROUP BY article;

INSERT INTO "Kunden-Daten"."Order" SELECT 'AB' || i * 7, (ARRAY['new', 'paid', 'sent'])[1 + i % 3]::state,
        'buyer' || 1 + i % 40 || '@example.com', 'leave it at the door ' || i FROM generate_series(1, 60) AS i;
INSERT INTO account SELECT CASE WHEN i % 2 = 0 THEN 'Buyer' ELSE 'buyer' END || i, 'buyer' || i || '@example.com', now()
    FROM generate_series(1, 40) AS i;
INSERT INTO nickname SELECT CASE WHEN i % 2 = 0 THEN 'N' ELSE 'n' END || 'ick' || i, 'nick' || i || '@example.com' FROM generate_series(1, 40) AS i;
INSERT INTO party SELECT i, 'party' || i || '@example.com' FROM generate_series(1, 10) AS i;
INSERT INTO human SELECT i, 'person' || i || '@example.com', '1980-01-01' FROM generate_series(1, 10) AS i;
INSERT INTO staff SELECT i, 'staff' || i || '@example.com', '1980-01-01', md5(i::text)::uuid, i FROM generate_series(1, 10) AS i;
INSERT INTO basket SELECT NULL, -i, i, 'd' || i, 'basket' || i % 5 || '@example.com' FROM generate_series(1, 25) AS i;
INSERT INTO goods SELECT 'AB' || i * 7, 'Thing ' || i, to_tsvector('english', 'Thing ' || i) FROM generate_series(1, 60) AS i;
REFRESH MATERIALIZED VIEW bought;
