-- The statements that make the objects of a database anew, in the order of their stages: before the
-- rows (1 to 7), behind them (8 to 16), and at the very end what may refuse any of the others (17). What
-- an extension brings, and what is ours, is left out; what no statement is here for, is named by
-- `missing.sql`.
-- Every name is written in full: nothing but `pg_catalog` is on the search path.
-- language=PostgreSQL
WITH space AS (
    SELECT n.oid, n.nspname FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sealift', 'sealift_rehearsal')
),
member AS (
    SELECT d.classid, d.objid FROM pg_depend d WHERE d.deptype = 'e'
),
rel AS (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS name,
        CASE s.nspname WHEN 'public' THEN '' ELSE s.nspname || '.' END || c.relname AS shown,
        CASE WHEN c.reloptions IS NULL THEN ''
             ELSE format(' WITH (%s)', array_to_string(c.reloptions, ', ')) END AS options
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)
),
kind AS (
    SELECT t.*, format('%I.%I', s.nspname, t.typname) AS name
    FROM pg_type t JOIN space s ON s.oid = t.typnamespace
    WHERE NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
),
made (stage, place, name, sql) AS (
    SELECT 1, 0::oid, nspname::text, format('CREATE SCHEMA IF NOT EXISTS %I', nspname)
    FROM space WHERE NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_namespace'::regclass AND m.objid = space.oid)

    UNION ALL
    SELECT 2, e.oid, 'extension ' || e.extname, format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I', e.extname, n.nspname)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname <> 'plpgsql'

    UNION ALL
    SELECT 3, l.oid, 'collation ' || l.collname, format('CREATE COLLATION %I.%I (provider = %s, %s, deterministic = %s)',
        s.nspname, l.collname,
        CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
        CASE WHEN l.collprovider = 'c' THEN format('lc_collate = %L, lc_ctype = %L', l.collcollate, l.collctype)
             ELSE format('locale = %L', coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale', l.collcollate::text)) END,
        l.collisdeterministic::text)
    FROM pg_collation l JOIN space s ON s.oid = l.collnamespace
    WHERE NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_collation'::regclass AND m.objid = l.oid)

    UNION ALL
    SELECT 3, y.oid, 'text search dictionary ' || y.dictname, format('CREATE TEXT SEARCH DICTIONARY %I.%I (TEMPLATE = %I.%I%s)',
        s.nspname, y.dictname, n.nspname, m.tmplname, coalesce(', ' || y.dictinitoption, ''))
    FROM pg_ts_dict y JOIN space s ON s.oid = y.dictnamespace
    JOIN pg_ts_template m ON m.oid = y.dicttemplate JOIN pg_namespace n ON n.oid = m.tmplnamespace
    WHERE NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_ts_dict'::regclass AND m.objid = y.oid)

    UNION ALL
    SELECT 3, g.oid, 'text search configuration ' || g.cfgname, format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)',
        s.nspname, g.cfgname, n.nspname, r.prsname)
    FROM pg_ts_config g JOIN space s ON s.oid = g.cfgnamespace
    JOIN pg_ts_parser r ON r.oid = g.cfgparser JOIN pg_namespace n ON n.oid = r.prsnamespace
    WHERE NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_ts_config'::regclass AND m.objid = g.oid)

    UNION ALL
    SELECT 4, g.oid, 'text search configuration ' || g.cfgname,
        format('ALTER TEXT SEARCH CONFIGURATION %I.%I ADD MAPPING FOR %I WITH %s', s.nspname, g.cfgname, k.alias,
            string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno))
    FROM pg_ts_config g JOIN space s ON s.oid = g.cfgnamespace
    JOIN pg_ts_config_map m ON m.mapcfg = g.oid
    CROSS JOIN LATERAL ts_token_type(g.cfgparser) AS k
    WHERE k.tokid = m.maptokentype AND NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_ts_config'::regclass AND m.objid = g.oid)
    GROUP BY g.oid, g.cfgname, s.nspname, k.alias

    UNION ALL
    SELECT 3, t.oid, 'type ' || t.typname, format('CREATE TYPE %s AS ENUM (%s)', t.name,
        (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
    FROM kind t WHERE t.typtype = 'e'

    UNION ALL
    SELECT 3, t.oid, 'type ' || t.typname, format('CREATE TYPE %s AS RANGE (subtype = %s%s)', t.name,
        format_type(r.rngsubtype, NULL),
        CASE WHEN r.rngsubdiff = 0 THEN '' ELSE format(', subtype_diff = %s', r.rngsubdiff::regproc) END)
    FROM kind t JOIN pg_range r ON r.rngtypid = t.oid WHERE t.typtype = 'r'

    UNION ALL
    SELECT 3, t.oid, 'type ' || t.typname, format('CREATE TYPE %s AS (%s)', t.name,
        (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
         FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
    FROM kind t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' WHERE t.typtype = 'c'

    UNION ALL
    SELECT 3, t.oid, 'domain ' || t.typname, format('CREATE DOMAIN %s AS %s%s%s%s%s', t.name,
        format_type(t.typbasetype, t.typtypmod),
        CASE WHEN t.typcollation IN (0, b.typcollation) THEN '' ELSE ' COLLATE ' || t.typcollation::regcollation END,
        coalesce(' DEFAULT ' || t.typdefault, ''), CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END,
        (SELECT string_agg(format(' CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), '' ORDER BY k.conname)
         FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'))
    FROM kind t JOIN pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd'

    UNION ALL
    SELECT 4, r.oid, 'sequence ' || r.shown, format('CREATE SEQUENCE %s AS %s START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s%s',
        r.name, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END)
    FROM rel r JOIN pg_sequence s ON s.seqrelid = r.oid
    WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype = 'i')

    UNION ALL
    SELECT 5, r.oid, 'table ' || r.shown, format('CREATE %sTABLE %s (%s)%s%s',
        CASE WHEN r.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END, r.name,
        (SELECT string_agg(format('%I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attcollation IN (0, t.typcollation) THEN '' ELSE ' COLLATE ' || a.attcollation::regcollation END,
                CASE WHEN a.attidentity <> '' THEN CASE WHEN r.relispartition THEN '' ELSE format(
                         ' GENERATED %s AS IDENTITY', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END) END
                     WHEN a.attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%s) %s', pg_get_expr(d.adbin, d.adrelid),
                         CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
                     WHEN d.oid IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)
                     ELSE '' END,
                CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY a.attnum)
         FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
        CASE WHEN r.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(r.oid) ELSE '' END, r.options)
    FROM rel r WHERE r.relkind IN ('r', 'p')

    UNION ALL
    SELECT 6, p.oid, 'function ' || p.proname, pg_get_functiondef(p.oid)
    FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
    WHERE p.prokind IN ('f', 'p', 'w') AND NOT EXISTS (
        SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))

    UNION ALL
    SELECT 6, p.oid, 'aggregate ' || p.proname, format('CREATE AGGREGATE %I.%I (%s) (SFUNC = %s, STYPE = %s%s%s%s%s%s, PARALLEL = %s)',
        s.nspname, p.proname, CASE WHEN p.pronargs = 0 THEN '*' ELSE pg_get_function_arguments(p.oid) END,
        a.aggtransfn::regproc, format_type(a.aggtranstype, NULL),
        CASE WHEN a.aggfinalfn = 0 THEN '' ELSE format(', FINALFUNC = %s%s, FINALFUNC_MODIFY = %s', a.aggfinalfn::regproc,
            CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' ELSE '' END,
            CASE a.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END) END,
        CASE WHEN a.aggcombinefn = 0 THEN '' ELSE format(', COMBINEFUNC = %s', a.aggcombinefn::regproc) END,
        CASE WHEN a.aggserialfn = 0 THEN '' ELSE format(', SERIALFUNC = %s, DESERIALFUNC = %s', a.aggserialfn::regproc, a.aggdeserialfn::regproc) END,
        coalesce(', INITCOND = ' || quote_literal(a.agginitval), ''),
        CASE WHEN a.aggkind = 'h' THEN ', HYPOTHETICAL' WHEN a.aggsortop = 0 THEN ''
             ELSE format(', SORTOP = OPERATOR(%I.%s)', (SELECT n.nspname FROM pg_namespace n WHERE n.oid = o.oprnamespace), o.oprname) END,
        CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END)
    FROM pg_proc p JOIN space s ON s.oid = p.pronamespace JOIN pg_aggregate a ON a.aggfnoid = p.oid
    LEFT JOIN pg_operator o ON o.oid = a.aggsortop
    WHERE NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)

    UNION ALL
    SELECT 7, child.oid, 'table ' || child.shown,
        CASE WHEN child.relispartition
             THEN format('ALTER TABLE ONLY %s ATTACH PARTITION %s %s', parent.name, child.name, pg_get_expr(child.relpartbound, child.oid))
             ELSE format('ALTER TABLE ONLY %s INHERIT %s', child.name, parent.name) END
    FROM pg_inherits i JOIN rel child ON child.oid = i.inhrelid JOIN rel parent ON parent.oid = i.inhparent
    WHERE child.relkind IN ('r', 'p')

    UNION ALL
    SELECT 7, seq.oid, 'sequence ' || seq.shown, format('ALTER SEQUENCE %s OWNED BY %s.%I', seq.name, own.name, a.attname)
    FROM pg_depend d JOIN rel seq ON seq.oid = d.objid AND seq.relkind = 'S' JOIN rel own ON own.oid = d.refobjid
    JOIN pg_attribute a ON a.attrelid = own.oid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'a'

    UNION ALL
    SELECT 8, k.oid, format('constraint %s of table %s', k.conname, r.shown), format('ALTER TABLE %s%s ADD CONSTRAINT %I %s',
        CASE WHEN k.contype = 'c' THEN '' ELSE 'ONLY ' END, r.name, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN rel r ON r.oid = k.conrelid
    WHERE k.contype IN ('p', 'u', 'x') OR (k.contype = 'c' AND k.coninhcount = 0)

    UNION ALL
    SELECT CASE WHEN r.relkind = 'm' THEN 13 ELSE 9 END, x.oid, 'index ' || x.shown, pg_get_indexdef(x.oid)
    FROM pg_index i JOIN rel x ON x.oid = i.indexrelid JOIN rel r ON r.oid = i.indrelid
    WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))

    UNION ALL
    SELECT 10, child.oid, 'index ' || child.shown, format('ALTER INDEX %s ATTACH PARTITION %s', parent.name, child.name)
    FROM pg_inherits i JOIN rel child ON child.oid = i.inhrelid JOIN rel parent ON parent.oid = i.inhparent
    WHERE child.relkind IN ('i', 'I')

    UNION ALL
    SELECT 11, k.oid, format('constraint %s of table %s', k.conname, r.shown),
        format('ALTER TABLE %s ADD CONSTRAINT %I %s', r.name, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN rel r ON r.oid = k.conrelid WHERE k.contype = 'f' AND k.conparentid = 0

    UNION ALL
    SELECT 12, r.oid, 'view ' || r.shown, format('CREATE %s %s%s AS %s',
        CASE r.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, r.name, r.options, pg_get_viewdef(r.oid))
    FROM rel r WHERE r.relkind IN ('v', 'm')

    UNION ALL
    SELECT 14, w.oid, 'rule ' || w.rulename, pg_get_ruledef(w.oid)
    FROM pg_rewrite w JOIN rel r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'

    UNION ALL
    SELECT 14, g.oid, 'trigger ' || g.tgname, pg_get_triggerdef(g.oid)
    FROM pg_trigger g JOIN rel r ON r.oid = g.tgrelid WHERE NOT g.tgisinternal AND g.tgparentid = 0

    UNION ALL
    SELECT 14, x.oid, 'statistics ' || x.stxname, pg_get_statisticsobjdef(x.oid)
    FROM pg_statistic_ext x JOIN rel r ON r.oid = x.stxrelid

    UNION ALL
    SELECT 14, p.oid, 'policy ' || p.polname, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, r.name,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        (SELECT string_agg(CASE WHEN who = 0 THEN 'public' ELSE quote_ident(pg_get_userbyid(who)) END, ', ') FROM unnest(p.polroles) AS who),
        coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ''),
        coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''))
    FROM pg_policy p JOIN rel r ON r.oid = p.polrelid

    UNION ALL
    SELECT 15, r.oid, 'table ' || r.shown, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY%s', r.name,
        CASE WHEN r.relforcerowsecurity THEN ', FORCE ROW LEVEL SECURITY' ELSE '' END)
    FROM rel r WHERE r.relrowsecurity

    UNION ALL
    SELECT 15, g.oid, 'trigger ' || g.tgname, format('ALTER TABLE %s %s TRIGGER %I', r.name,
        CASE g.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE REPLICA' END, g.tgname)
    FROM pg_trigger g JOIN rel r ON r.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled <> 'O'

    -- What an UPDATE needs where its table is published.
    UNION ALL
    SELECT 15, r.oid, 'replica identity of table ' || r.shown, format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', r.name,
        CASE r.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE format('USING INDEX %I', (
            SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
            WHERE i.indrelid = r.oid AND i.indisreplident)) END)
    FROM rel r WHERE r.relkind IN ('r', 'p') AND (r.relreplident IN ('f', 'n') OR (r.relreplident = 'i' AND EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisreplident)))

    UNION ALL
    SELECT 15, u.oid, 'publication ' || u.pubname, format('CREATE PUBLICATION %I%s WITH (publish = %L%s)', u.pubname,
        CASE WHEN u.puballtables THEN ' FOR ALL TABLES' ELSE '' END,
        concat_ws(', ', CASE WHEN u.pubinsert THEN 'insert' END, CASE WHEN u.pubupdate THEN 'update' END,
            CASE WHEN u.pubdelete THEN 'delete' END, CASE WHEN u.pubtruncate THEN 'truncate' END),
        CASE WHEN u.pubviaroot THEN ', publish_via_partition_root' ELSE '' END)
    FROM pg_publication u WHERE NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_publication'::regclass AND m.objid = u.oid)

    UNION ALL
    SELECT 16, u.oid, format('table %s of publication %s', t.tablename, u.pubname),
        format('ALTER PUBLICATION %I ADD TABLE ONLY %s%s%s', u.pubname, r.name,
            -- From version 15 on: columns and rows, where not all of them are published.
            coalesce((SELECT format(' (%s)', string_agg(quote_ident(part), ', '))
                FROM jsonb_array_elements_text(to_jsonb(t) -> 'attnames') AS part
                HAVING count(*) > 0 AND count(*) < (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = r.oid
                    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '')), ''),
            coalesce(' WHERE (' || (to_jsonb(t) ->> 'rowfilter') || ')', ''))
    FROM pg_publication u JOIN pg_publication_tables t ON t.pubname = u.pubname
    JOIN space s ON s.nspname = t.schemaname JOIN rel r ON r.relnamespace = s.oid AND r.relname = t.tablename
    WHERE NOT u.puballtables

    -- One that fires at a login has nothing to do with a run, and might keep ours out of the copy.
    UNION ALL
    SELECT 17, v.oid, 'event trigger ' || v.evtname, format('CREATE EVENT TRIGGER %I ON %s%s EXECUTE FUNCTION %s()',
        v.evtname, v.evtevent,
        coalesce((SELECT ' WHEN TAG IN (' || string_agg(quote_literal(tag), ', ') || ')' FROM unnest(v.evttags) AS tag), ''),
        v.evtfoid::regproc)
    FROM pg_event_trigger v WHERE v.evtenabled IN ('O', 'A') AND v.evtevent <> 'login' AND NOT EXISTS (
        SELECT FROM member m WHERE m.classid = 'pg_event_trigger'::regclass AND m.objid = v.oid)
)
SELECT stage, place::int8, name, sql FROM made ORDER BY stage, place
