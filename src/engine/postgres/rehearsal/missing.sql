-- Every object that somebody made in a database, whatever its kind: its number, and its name as the
-- server says it. What an extension brings, what is ours, and what follows from another object by itself
-- (arrays, row types, internal triggers, what a partition inherits) is left out.
-- language=PostgreSQL
WITH space AS (
    SELECT n.oid, n.nspname FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sealift', 'sealift_rehearsal')
),
object (classid, id, space) AS (
    SELECT 'pg_class'::regclass, oid, relnamespace FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') AND relpersistence <> 't'
    UNION ALL SELECT 'pg_type'::regclass, t.oid, t.typnamespace FROM pg_type t
        LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typtype IN ('b', 'c', 'd', 'e', 'r') AND t.typcategory <> 'A' AND (t.typrelid = 0 OR c.relkind = 'c')
    UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
    UNION ALL SELECT 'pg_constraint'::regclass, oid, connamespace FROM pg_constraint
        WHERE contype NOT IN ('n', 't') AND conparentid = 0 AND coninhcount = 0
    UNION ALL SELECT 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator
    UNION ALL SELECT 'pg_opclass'::regclass, oid, opcnamespace FROM pg_opclass
    UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfnamespace FROM pg_opfamily
    UNION ALL SELECT 'pg_collation'::regclass, oid, collnamespace FROM pg_collation
    UNION ALL SELECT 'pg_conversion'::regclass, oid, connamespace FROM pg_conversion
    UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgnamespace FROM pg_ts_config
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictnamespace FROM pg_ts_dict
    UNION ALL SELECT 'pg_ts_parser'::regclass, oid, prsnamespace FROM pg_ts_parser
    UNION ALL SELECT 'pg_ts_template'::regclass, oid, tmplnamespace FROM pg_ts_template
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxnamespace FROM pg_statistic_ext
    UNION ALL SELECT 'pg_namespace'::regclass, oid, oid FROM pg_namespace
    UNION ALL SELECT 'pg_trigger'::regclass, g.oid, c.relnamespace FROM pg_trigger g
        JOIN pg_class c ON c.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgparentid = 0
    UNION ALL SELECT 'pg_rewrite'::regclass, w.oid, c.relnamespace FROM pg_rewrite w
        JOIN pg_class c ON c.oid = w.ev_class WHERE w.rulename <> '_RETURN'
    UNION ALL SELECT 'pg_policy'::regclass, p.oid, c.relnamespace FROM pg_policy p
        JOIN pg_class c ON c.oid = p.polrelid
    UNION ALL SELECT 'pg_extension'::regclass, oid, NULL FROM pg_extension
    UNION ALL SELECT 'pg_cast'::regclass, oid, NULL FROM pg_cast
    UNION ALL SELECT 'pg_transform'::regclass, oid, NULL FROM pg_transform
    UNION ALL SELECT 'pg_language'::regclass, oid, NULL FROM pg_language
    UNION ALL SELECT 'pg_am'::regclass, oid, NULL FROM pg_am
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, NULL FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid, NULL FROM pg_foreign_server
    UNION ALL SELECT 'pg_publication'::regclass, oid, NULL FROM pg_publication
    UNION ALL SELECT 'pg_default_acl'::regclass, oid, NULL FROM pg_default_acl
    -- One that is switched off, or fires at a login, is never met by a run.
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid, NULL FROM pg_event_trigger
        WHERE evtenabled IN ('O', 'A') AND evtevent <> 'login'
)
SELECT object.id::int8, told.type || ' ' || told.identity,
    CASE WHEN told.type IN ('foreign table', 'server', 'foreign-data wrapper')
         THEN 'it leads to what lies elsewhere' ELSE 'this kind of object is not copied' END
FROM object CROSS JOIN LATERAL pg_identify_object(object.classid, object.id, 0) AS told
-- Numbers below are those of objects that every database has.
WHERE object.id >= 16384 AND (object.space IS NULL OR object.space IN (SELECT oid FROM space))
  AND NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = object.classid AND d.objid = object.id AND d.deptype = 'e')
UNION ALL
SELECT 0, 'subscription ' || quote_ident(u.subname), 'the copy would fetch rows of its own'
FROM pg_subscription u JOIN pg_database b ON b.oid = u.subdbid WHERE b.datname = current_database()
ORDER BY 2
