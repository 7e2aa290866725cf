//! Sealed values: added in bulk, looked up in bulk, read in token order.
//!
//! What is bound are arrays, one a column: a statement of any number of rows has one text and is
//! prepared once.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use super::super::error::state;
use super::Broken;
use super::commit::signed;
use crate::engine::read_pace::ReadPace;
use crate::engine::vault_rows::Columns as _;
use crate::ledger::RowSetRoot;
use crate::lifecycle::RunId;
use crate::ports::{BlindRow, EntryRow, Limit, LoadCursor, Looked, VaultError};
use crate::token::{DomainId, TokenBody};
use crate::value::ValueType;

/// Tokens of one look-up, so that the answer to many is not held twice.
const LOOK_UPS_A_STATEMENT: usize = 10_000;

/// Entries of a segment of single inserts.
const SINGLES_A_SEGMENT: u64 = 65_536;

/// Bytes of sealed values that one read of entries should bring: it is held as it came, and taken
/// apart.
const SCAN_BYTES: usize = 4 << 20;

/// Entries of the first read of a domain.
pub(super) const SCAN_AT_FIRST: usize = 2;

/// Bytes that an entry takes besides token and envelope in the answer to a read.
const FRAME_BYTES: usize = 12;

/// The state of a number that is too large for its type.
const OUT_OF_RANGE: &str = "22003";

/// Adds entries and returns how many were new.
pub(super) async fn add(
    connection: &mut PgConnection,
    rows: &[EntryRow],
) -> Result<usize, sqlx::Error> {
    if rows.is_empty() {
        return Ok(0);
    }
    let numbers = |number: fn(&EntryRow) -> i64| rows.iter().map(number).collect::<Vec<i64>>();
    // language=PostgreSQL
    let done = sqlx::query(
        "INSERT INTO sealift.entry (domain, token, segment, kind, envelope)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[])
         ON CONFLICT DO NOTHING",
    )
    .bind(numbers(|row| i64::from(row.domain.0)))
    .bind(rows.iter().map(|row| row.token.as_bytes()).collect::<Vec<&[u8]>>())
    .bind(numbers(|row| i64::from(row.segment)))
    .bind(numbers(|row| i64::from(row.kind.code())))
    .bind(rows.iter().map(|row| row.envelope.as_slice()).collect::<Vec<&[u8]>>())
    .execute(connection)
    .await?;
    Ok(usize::try_from(done.rows_affected()).unwrap_or(usize::MAX))
}

/// Those of the tokens that the vault has already, as it has them.
pub(super) async fn existing(
    connection: &mut PgConnection,
    rows: &[EntryRow],
) -> Result<Vec<EntryRow>, Broken> {
    let mut found = Vec::new();
    for group in rows.chunk_by(|one, two| one.domain == two.domain) {
        let tokens: Vec<TokenBody> = group.iter().map(|row| row.token.clone()).collect();
        let answers = find(connection, group[0].domain, &tokens).await?;
        found.extend(answers.into_iter().flatten());
    }
    Ok(found)
}

/// Looks tokens of one domain up, in order.
pub(super) async fn find(
    connection: &mut PgConnection,
    domain: DomainId,
    tokens: &[TokenBody],
) -> Result<Vec<Option<EntryRow>>, Broken> {
    let found = find_within(connection, domain, tokens, usize::MAX).await?;
    Ok(found.into_iter().map(|looked| looked.and_then(Looked::entry)).collect())
}

/// The same; of envelopes that are larger than `bytes_max` only their size.
pub(super) async fn find_within(
    connection: &mut PgConnection,
    domain: DomainId,
    tokens: &[TokenBody],
    bytes_max: usize,
) -> Result<Vec<Option<Looked>>, Broken> {
    let mut answers = Vec::with_capacity(tokens.len());
    for chunk in tokens.chunks(LOOK_UPS_A_STATEMENT) {
        // language=PostgreSQL
        let rows = sqlx::query(
            "SELECT e.domain::bigint, e.token, e.segment::bigint, e.kind::bigint,
                    octet_length(e.envelope)::bigint AS bytes,
                    CASE WHEN octet_length(e.envelope) <= $3 THEN e.envelope END AS envelope
             FROM unnest($2::bytea[]) AS wanted (token)
             JOIN sealift.entry AS e ON e.domain = $1 AND e.token = wanted.token",
        )
        .bind(i64::from(domain.0))
        .bind(chunk.iter().map(TokenBody::as_bytes).collect::<Vec<&[u8]>>())
        .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
        let mut found: HashMap<TokenBody, Looked> = HashMap::with_capacity(rows.len());
        for row in &rows {
            let bytes = usize::try_from(row.get::<i64, _>("bytes")).unwrap_or(usize::MAX);
            let looked =
                if bytes > bytes_max { Looked::Large(bytes) } else { Looked::Entry(entry(row)?) };
            found.insert(TokenBody::new(row.get::<&[u8], _>("token")), looked);
        }
        answers.extend(chunk.iter().map(|token| found.get(token).cloned()));
    }
    Ok(answers)
}

/// Reads entries in (domain, token) order: so many, or fewer where they are large or a domain ends.
pub(super) async fn scan(
    connection: &mut PgConnection,
    after: Option<(DomainId, TokenBody)>,
    limit: usize,
    pace: &ReadPace,
) -> Result<Vec<EntryRow>, Broken> {
    let (first, mut token) = match &after {
        Some((domain, token)) => (i64::from(domain.0), token.as_bytes()),
        None => (0, &[][..]),
    };
    // Domain by domain: one partition a statement, each read along its own index.
    let domains: Vec<i64> =
        sqlx::query_scalar("SELECT domain FROM sealift.domain WHERE domain >= $1 ORDER BY domain")
            .bind(first)
            .fetch_all(&mut *connection)
            .await?;
    for domain in domains {
        if domain != first {
            token = &[];
            // Of how large the values of another domain are, nothing is known.
            pace.begin_again();
        }
        let rows = pace.rows(Limit { rows: limit, bytes: SCAN_BYTES });
        let found = scan_domain(connection, domain, token, rows).await?;
        if !found.is_empty() {
            let bytes = found.iter().map(|entry| entry.envelope.len()).sum();
            pace.saw(rows, found.len(), bytes);
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

async fn scan_domain(
    connection: &mut PgConnection,
    domain: i64,
    after: &[u8],
    limit: usize,
) -> Result<Vec<EntryRow>, Broken> {
    // One string of all of them: the server takes half the time of an array for each column. What
    // does not fit beside a type is out of the range of numbers, and not cut off.
    // language=PostgreSQL
    const SQL: &str = "SELECT pg_catalog.string_agg(pg_catalog.int4send(segment)
            || pg_catalog.int8send(kind * 1152921504606846976
                + (octet_length(token)::bigint << 32) + octet_length(envelope))
            || token || envelope, ''::bytea)
        FROM (SELECT token, segment, kind, envelope FROM sealift.entry
              WHERE domain = $1 AND token > $2 ORDER BY token LIMIT $3) AS next";
    let id = DomainId(u16::try_from(domain).map_err(|_| malformed())?);
    let rows = i64::try_from(limit).unwrap_or(i64::MAX);
    let scanned = sqlx::query(SQL).bind(domain).bind(after).bind(rows).fetch_one(connection).await;
    let answer = match scanned {
        Err(error) if state(&error) == Some(OUT_OF_RANGE) => return Err(malformed().into()),
        scanned => scanned?,
    };
    let mut rest: &[u8] = answer.try_get::<Option<&[u8]>, _>(0)?.unwrap_or_default();
    let mut found = Vec::with_capacity(limit.min(rest.len() / FRAME_BYTES));
    while !rest.is_empty() {
        let (entry, after) = framed(id, rest).ok_or_else(malformed)?;
        found.push(entry);
        rest = after;
    }
    Ok(found)
}

/// Reads the entry at the front: `segment 4 | type, 4 bits | length of the token, 28 bits | length of
/// the envelope 4 | token | envelope`; and what follows.
fn framed(domain: DomainId, bytes: &[u8]) -> Option<(EntryRow, &[u8])> {
    let (segment, rest) = bytes.split_first_chunk()?;
    let (lengths, rest) = rest.split_first_chunk()?;
    let lengths = u64::from_be_bytes(*lengths);
    let kind = u8::try_from(lengths >> 60).ok()?;
    let (token, rest) =
        rest.split_at_checked(usize::try_from(lengths >> 32 & 0x0fff_ffff).ok()?)?;
    let (envelope, rest) = rest.split_at_checked(usize::try_from(lengths & 0xffff_ffff).ok()?)?;
    let entry = EntryRow {
        domain,
        token: TokenBody::new(token),
        segment: u32::try_from(i32::from_be_bytes(*segment)).unwrap_or(0),
        kind: ValueType::from_code(kind)?,
        envelope: envelope.to_vec(),
    };
    Some((entry, rest))
}

fn malformed() -> VaultError {
    VaultError::Inconsistent("an entry is malformed".to_owned())
}

fn entry(row: &PgRow) -> Result<EntryRow, VaultError> {
    let domain = u16::try_from(row.get::<i64, _>("domain")).map_err(|_| malformed())?;
    let kind = u8::try_from(row.get::<i64, _>("kind")).map_err(|_| malformed())?;
    Ok(EntryRow {
        domain: DomainId(domain),
        token: TokenBody::new(row.get::<&[u8], _>("token")),
        segment: row.small("segment"),
        kind: ValueType::from_code(kind).ok_or_else(malformed)?,
        envelope: row.get("envelope"),
    })
}

/// Adds blind index entries; `false` where another token stands for one of the values already.
pub(super) async fn insert_blind(
    connection: &mut PgConnection,
    rows: &[BlindRow],
) -> Result<bool, sqlx::Error> {
    if rows.is_empty() {
        return Ok(true);
    }
    let domains: Vec<i64> = rows.iter().map(|row| i64::from(row.domain.0)).collect();
    let digests: Vec<&[u8]> = rows.iter().map(|row| row.digest.as_slice()).collect();
    let tokens: Vec<&[u8]> = rows.iter().map(|row| row.token.as_bytes()).collect();
    sqlx::query(
        "INSERT INTO sealift.blind (domain, digest, token)
         SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) ON CONFLICT DO NOTHING",
    )
    .bind(&domains)
    .bind(&digests)
    .bind(&tokens)
    .execute(&mut *connection)
    .await?;
    // Whoever was first decides, also one that committed while the INSERT waited for it.
    let lost: bool = sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS mine (domain, digest, token)
             JOIN sealift.blind AS b ON b.domain = mine.domain AND b.digest = mine.digest
             WHERE b.token <> mine.token)",
    )
    .bind(&domains)
    .bind(&digests)
    .bind(&tokens)
    .fetch_one(connection)
    .await?;
    Ok(!lost)
}

/// Looks values up in the blind index, in order.
pub(super) async fn find_blind(
    connection: &mut PgConnection,
    domain: DomainId,
    digests: &[[u8; 16]],
) -> Result<Vec<Option<TokenBody>>, sqlx::Error> {
    let mut answers = Vec::with_capacity(digests.len());
    for chunk in digests.chunks(LOOK_UPS_A_STATEMENT) {
        let rows = sqlx::query(
            "SELECT b.digest, b.token FROM unnest($2::bytea[]) AS wanted (digest)
             JOIN sealift.blind AS b ON b.domain = $1 AND b.digest = wanted.digest",
        )
        .bind(i64::from(domain.0))
        .bind(chunk.iter().map(<[u8; 16]>::as_slice).collect::<Vec<&[u8]>>())
        .fetch_all(&mut *connection)
        .await?;
        let found: HashMap<Vec<u8>, TokenBody> = rows
            .iter()
            .map(|row| (row.get("digest"), TokenBody::new(row.get::<&[u8], _>("token"))))
            .collect();
        answers.extend(chunk.iter().map(|digest| found.get(digest.as_slice()).cloned()));
    }
    Ok(answers)
}

/// Where the load of a run stands. The first call takes the next segment.
pub(super) async fn load_cursor(
    connection: &mut PgConnection,
    run: RunId,
) -> Result<LoadCursor, Broken> {
    take_turns(connection).await?;
    let row = sqlx::query("SELECT * FROM sealift.load WHERE run = $1")
        .bind(i64::from(run.0))
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = row {
        if !row.get::<bool, _>("done") {
            // A backup of the vault leaves stages out: a vault that was restored from one that was
            // taken within a load has the cursor and not what it speaks of.
            let loaded = super::stage::loaded(connection, run, row.get("segment")).await?;
            if loaded != row.get::<i64, _>("entries") {
                let fact = format!("the vault lacks values that the load of run {run} had brought");
                return Err(VaultError::Inconsistent(fact).into());
            }
        }
        let domain: Option<i64> = row.get("domain");
        let token: Option<Vec<u8>> = row.get("token");
        return Ok(LoadCursor {
            segment: row.small("segment"),
            after: domain.zip(token).map(|(domain, token)| {
                (DomainId(u16::try_from(domain).unwrap_or(0)), TokenBody::new(&token))
            }),
            root_state: row.get("root_state"),
            entries: row.unsigned("entries"),
            done: row.get("done"),
        });
    }
    let segment = open_segment(connection, Some(run)).await?;
    let cursor = LoadCursor {
        segment,
        after: None,
        root_state: RowSetRoot::new().encode(),
        entries: 0,
        done: false,
    };
    sqlx::query("INSERT INTO sealift.load VALUES ($1, $2, NULL, NULL, $3, 0, false)")
        .bind(i64::from(run.0))
        .bind(i64::from(segment))
        .bind(&cursor.root_state)
        .execute(connection)
        .await?;
    Ok(cursor)
}

pub(super) async fn move_load_cursor(
    connection: &mut PgConnection,
    run: RunId,
    next: &LoadCursor,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE sealift.load SET domain = $1, token = $2, root_state = $3, entries = $4, done = $5
         WHERE run = $6",
    )
    .bind(next.after.as_ref().map(|(domain, _)| i64::from(domain.0)))
    .bind(next.after.as_ref().map(|(_, token)| token.as_bytes().to_vec()))
    .bind(&next.root_state)
    .bind(signed(next.entries))
    .bind(next.done)
    .bind(i64::from(run.0))
    .execute(connection)
    .await?;
    Ok(())
}

/// Whoever counts or opens segments waits for whoever does so already; readers do not.
pub(super) async fn take_turns(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("LOCK TABLE sealift.segment IN SHARE ROW EXCLUSIVE MODE")
        .execute(connection)
        .await?;
    Ok(())
}

async fn open_segment(connection: &mut PgConnection, run: Option<RunId>) -> Result<u32, Broken> {
    let segment: i64 = sqlx::query_scalar(
        "INSERT INTO sealift.segment
         SELECT coalesce(max(segment), 0) + 1, $1, 0, NULL FROM sealift.segment RETURNING segment",
    )
    .bind(run.map(|run| i64::from(run.0)))
    .fetch_one(connection)
    .await?;
    // As an entry keeps it.
    let segment = i32::try_from(segment).ok().and_then(|segment| u32::try_from(segment).ok());
    Ok(segment.ok_or_else(|| VaultError::Inconsistent("segments ran out".to_owned()))?)
}

/// Puts single entries into the open segment of their run (or of `tokenize`), and counts them.
///
/// A run's late values go into segments of their own, after the one of its load.
pub(super) async fn into_open_segment(
    connection: &mut PgConnection,
    run: Option<RunId>,
    mut rows: Vec<EntryRow>,
) -> Result<Vec<EntryRow>, Broken> {
    let open: Option<i64> = sqlx::query_scalar(
        "SELECT max(segment) FROM sealift.segment
         WHERE run IS NOT DISTINCT FROM $1 AND root IS NULL AND entries < $2
           AND segment NOT IN (SELECT segment FROM sealift.load)",
    )
    .bind(run.map(|run| i64::from(run.0)))
    .bind(signed(SINGLES_A_SEGMENT))
    .fetch_one(&mut *connection)
    .await?;
    let segment = match open.and_then(|segment| u32::try_from(segment).ok()) {
        Some(segment) => segment,
        None if rows.is_empty() => return Ok(rows),
        None => open_segment(connection, run).await?,
    };
    sqlx::query("UPDATE sealift.segment SET entries = entries + $1 WHERE segment = $2")
        .bind(i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .bind(i64::from(segment))
        .execute(connection)
        .await?;
    for row in &mut rows {
        row.segment = segment;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_out_of_its_frame_and_a_cut_one_is_refused() {
        let lengths = 4_u64 << 60 | 3 << 32 | 5;
        let frame =
            [&7_i32.to_be_bytes()[..], &lengths.to_be_bytes(), b"tok", b"value", b"next"].concat();
        let (entry, rest) = framed(DomainId(2), &frame).unwrap();
        assert_eq!((entry.domain, entry.segment, entry.kind), (DomainId(2), 7, ValueType::Blob));
        assert_eq!((entry.token.as_bytes(), &*entry.envelope), (&b"tok"[..], &b"value"[..]));
        assert_eq!(rest, b"next");
        for end in 0..frame.len() - rest.len() {
            assert!(framed(DomainId(2), &frame[..end]).is_none(), "{end}");
        }
    }
}
