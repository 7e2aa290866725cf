//! Sealed values: added in bulk, looked up in bulk, read in token order.

use data_encoding::HEXUPPER;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Row as _};

use super::commit::signed;
use crate::engine::read_pace::ReadPace;
use crate::engine::sqlite::error::vault_error;
use crate::engine::vault_rows::Columns as _;
use crate::ledger::RowSetRoot;
use crate::lifecycle::RunId;
use crate::ports::{BlindRow, EntryRow, Limit, LoadCursor, Looked, VaultError};
use crate::token::{DomainId, TokenBody};
use crate::value::ValueType;

/// Rows of one `INSERT`: five parameters each, and SQLite takes 32,766.
const ROWS_A_STATEMENT: usize = 1_000;

/// Bytes of sealed values that one read of entries should bring: it is held as hexadecimal text, twice,
/// and taken apart.
const SCAN_BYTES: usize = 512 << 10;

/// Entries of the first read of a domain.
pub(super) const SCAN_AT_FIRST: usize = 2;

/// Entries of a segment of single inserts.
const SINGLES_A_SEGMENT: u64 = 65_536;

/// Adds entries and returns how many were new.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    url: &str,
    rows: &[EntryRow],
) -> Result<usize, VaultError> {
    let mut added = 0;
    for chunk in rows.chunks(ROWS_A_STATEMENT) {
        let mut arguments = SqliteArguments::default();
        for row in chunk {
            entry_arguments(&mut arguments, row).map_err(|error| {
                vault_error(sqlx::Error::Encode(error), url, "binding an entry")
            })?;
        }
        // language=SQLite
        let sql = format!(
            "INSERT INTO sealift_entry VALUES {} ON CONFLICT DO NOTHING",
            vec!["(?,?,?,?,?)"; chunk.len()].join(",")
        );
        let done = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .execute(&mut *connection)
            .await
            .map_err(|error| vault_error(error, url, "adding entries"))?;
        added += usize::try_from(done.rows_affected()).unwrap_or(usize::MAX);
    }
    Ok(added)
}

fn entry_arguments(
    arguments: &mut SqliteArguments,
    row: &EntryRow,
) -> Result<(), sqlx::error::BoxDynError> {
    arguments.add(i64::from(row.domain.0))?;
    arguments.add(row.token.as_bytes().to_vec())?;
    arguments.add(i64::from(row.segment))?;
    arguments.add(i64::from(row.kind.code()))?;
    arguments.add(row.envelope.clone())
}

/// Those of the tokens that the vault has already, as it has them.
pub(super) async fn existing(
    connection: &mut SqliteConnection,
    url: &str,
    rows: &[EntryRow],
) -> Result<Vec<EntryRow>, VaultError> {
    let mut found = Vec::new();
    for group in rows.chunk_by(|one, two| one.domain == two.domain) {
        let tokens: Vec<TokenBody> = group.iter().map(|row| row.token.clone()).collect();
        let answers = find(connection, url, group[0].domain, &tokens).await?;
        found.extend(answers.into_iter().flatten());
    }
    Ok(found)
}

/// Looks tokens of one domain up, in order.
pub(super) async fn find(
    connection: &mut SqliteConnection,
    url: &str,
    domain: DomainId,
    tokens: &[TokenBody],
) -> Result<Vec<Option<EntryRow>>, VaultError> {
    let found = find_within(connection, url, domain, tokens, usize::MAX).await?;
    Ok(found.into_iter().map(|looked| looked.and_then(Looked::entry)).collect())
}

/// The same; of envelopes that are larger than `bytes_max` only their size.
pub(super) async fn find_within(
    connection: &mut SqliteConnection,
    url: &str,
    domain: DomainId,
    tokens: &[TokenBody],
    bytes_max: usize,
) -> Result<Vec<Option<Looked>>, VaultError> {
    let failed = |error| vault_error(error, url, "looking tokens up");
    let mut answers = vec![None; tokens.len()];
    for (chunk, start) in tokens.chunks(ROWS_A_STATEMENT).zip((0..).step_by(ROWS_A_STATEMENT)) {
        let mut arguments = SqliteArguments::default();
        for token in chunk {
            arguments
                .add(token.as_bytes().to_vec())
                .map_err(|error| failed(sqlx::Error::Encode(error)))?;
        }
        let max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        for number in [i64::from(domain.0), max] {
            arguments.add(number).map_err(|error| failed(sqlx::Error::Encode(error)))?;
        }
        // Of a large value the length alone is read: its pages are not.
        // language=SQLite
        let sql = format!(
            "WITH wanted (token) AS (VALUES {}), asked (domain, bytes_max) AS (VALUES (?, ?))
             SELECT e.domain, e.token, e.segment, e.kind, length(e.envelope) AS bytes,
                    iif(length(e.envelope) <= bytes_max, e.envelope, NULL) AS envelope
             FROM asked CROSS JOIN wanted CROSS JOIN sealift_entry AS e
             WHERE e.domain = asked.domain AND e.token = wanted.token",
            vec!["(?)"; chunk.len()].join(",")
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
        let mut found: std::collections::HashMap<TokenBody, Looked> =
            std::collections::HashMap::with_capacity(rows.len());
        for row in &rows {
            let bytes = usize::try_from(row.get::<i64, _>("bytes")).unwrap_or(usize::MAX);
            let looked =
                if bytes > bytes_max { Looked::Large(bytes) } else { Looked::Entry(entry(row)?) };
            found.insert(TokenBody::new(row.get::<&[u8], _>("token")), looked);
        }
        for (token, answer) in chunk.iter().zip(&mut answers[start..]) {
            *answer = found.get(token).cloned();
        }
    }
    Ok(answers)
}

/// Reads entries in (domain, token) order: so many, or fewer where they are large or a domain ends.
pub(super) async fn scan(
    connection: &mut SqliteConnection,
    url: &str,
    after: Option<(DomainId, TokenBody)>,
    limit: usize,
    pace: &ReadPace,
) -> Result<Vec<EntryRow>, VaultError> {
    let failed = |error| vault_error(error, url, "reading entries");
    let (first, mut token) = match &after {
        Some((domain, token)) => (i64::from(domain.0), token.as_bytes()),
        None => (0, &[][..]),
    };
    let domains: Vec<i64> =
        sqlx::query_scalar("SELECT domain FROM sealift_domain WHERE domain >= ? ORDER BY domain")
            .bind(first)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
    for domain in domains {
        if domain != first {
            token = &[];
            // Of how large the values of another domain are, nothing is known.
            pace.begin_again();
        }
        let rows = pace.rows(Limit { rows: limit, bytes: SCAN_BYTES });
        let found = scan_domain(connection, url, domain, token, rows).await?;
        if !found.is_empty() {
            let bytes = found.iter().map(|entry| entry.envelope.len()).sum();
            pace.saw(rows, found.len(), bytes);
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Each row that the driver brings goes from one thread to another by itself, which costs more than
/// what is done with it. So all of them come as one, a list a column; bytes in it are hexadecimal.
async fn scan_domain(
    connection: &mut SqliteConnection,
    url: &str,
    domain: i64,
    after: &[u8],
    limit: usize,
) -> Result<Vec<EntryRow>, VaultError> {
    // language=SQLite
    const SQL: &str = "SELECT group_concat(hex(token)), group_concat(segment), group_concat(kind),
            group_concat(hex(envelope))
        FROM (SELECT token, segment, kind, envelope FROM sealift_entry
              WHERE domain = ? AND token > ? ORDER BY token LIMIT ?)";
    let failed = |error| vault_error(error, url, "reading entries");
    let id = DomainId(u16::try_from(domain).map_err(|_| malformed())?);
    let row = sqlx::query(SQL)
        .bind(domain)
        .bind(after)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    let list = |at: usize| row.try_get::<Option<&str>, _>(at).map_err(failed);
    let lists = (list(0)?, list(1)?, list(2)?, list(3)?);
    let (Some(tokens), Some(segments), Some(kinds), Some(envelopes)) = lists else {
        return Ok(Vec::new());
    };
    let bytes = |hex: &str| HEXUPPER.decode(hex.as_bytes()).map_err(|_| malformed());
    let (mut segments, mut kinds) = (segments.split(','), kinds.split(','));
    let mut envelopes = envelopes.split(',');
    let mut found = Vec::with_capacity(limit.min(tokens.len() / 2 + 1));
    for token in tokens.split(',') {
        let lists = (segments.next(), kinds.next(), envelopes.next());
        let (Some(segment), Some(kind), Some(envelope)) = lists else { return Err(malformed()) };
        found.push(EntryRow {
            domain: id,
            token: TokenBody::new(&bytes(token)?),
            segment: segment.parse().map_err(|_| malformed())?,
            kind: kind.parse().ok().and_then(ValueType::from_code).ok_or_else(malformed)?,
            envelope: bytes(envelope)?,
        });
    }
    // The order is that of the rows within; SQLite promises it for a list of its own only.
    if !found.is_sorted_by(|one, two| one.token < two.token) {
        found.sort_by(|one, two| one.token.cmp(&two.token));
    }
    Ok(found)
}

fn malformed() -> VaultError {
    VaultError::Inconsistent("an entry is malformed".to_owned())
}

fn entry(row: &SqliteRow) -> Result<EntryRow, VaultError> {
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

/// Adds a blind index entry; `false` where another token stands for the value already.
pub(super) async fn insert_blind(
    connection: &mut SqliteConnection,
    url: &str,
    row: &BlindRow,
) -> Result<bool, VaultError> {
    let failed = |error| vault_error(error, url, "adding to the blind index");
    sqlx::query("INSERT INTO sealift_blind VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(i64::from(row.domain.0))
        .bind(row.digest.to_vec())
        .bind(row.token.as_bytes().to_vec())
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let winner: Vec<u8> =
        sqlx::query_scalar("SELECT token FROM sealift_blind WHERE domain = ? AND digest = ?")
            .bind(i64::from(row.domain.0))
            .bind(row.digest.to_vec())
            .fetch_one(connection)
            .await
            .map_err(failed)?;
    Ok(winner == row.token.as_bytes())
}

/// Looks values up in the blind index, in order.
pub(super) async fn find_blind(
    connection: &mut SqliteConnection,
    url: &str,
    domain: DomainId,
    digests: &[[u8; 16]],
) -> Result<Vec<Option<TokenBody>>, VaultError> {
    let failed = |error| vault_error(error, url, "looking values up");
    let mut answers = Vec::with_capacity(digests.len());
    for chunk in digests.chunks(ROWS_A_STATEMENT) {
        let mut arguments = SqliteArguments::default();
        for digest in chunk {
            arguments.add(digest.to_vec()).map_err(|error| failed(sqlx::Error::Encode(error)))?;
        }
        arguments.add(i64::from(domain.0)).map_err(|error| failed(sqlx::Error::Encode(error)))?;
        // language=SQLite
        let sql = format!(
            "WITH wanted (digest) AS (VALUES {})
             SELECT b.digest, b.token FROM wanted CROSS JOIN sealift_blind AS b
             WHERE b.domain = ? AND b.digest = wanted.digest",
            vec!["(?)"; chunk.len()].join(",")
        );
        let rows = sqlx::query_with(AssertSqlSafe(sql), arguments)
            .fetch_all(&mut *connection)
            .await
            .map_err(failed)?;
        let found: std::collections::HashMap<Vec<u8>, TokenBody> = rows
            .iter()
            .map(|row| (row.get("digest"), TokenBody::new(row.get::<&[u8], _>("token"))))
            .collect();
        answers.extend(chunk.iter().map(|digest| found.get(digest.as_slice()).cloned()));
    }
    Ok(answers)
}

/// Where the load of a run stands. The first call takes the next segment.
pub(super) async fn load_cursor(
    connection: &mut SqliteConnection,
    url: &str,
    run: RunId,
) -> Result<LoadCursor, VaultError> {
    let failed = |error| vault_error(error, url, "reading a load");
    let row = sqlx::query("SELECT * FROM sealift_load WHERE run = ?")
        .bind(i64::from(run.0))
        .fetch_optional(&mut *connection)
        .await
        .map_err(failed)?;
    if let Some(row) = row {
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
    let segment = open_segment(connection, url, Some(run)).await?;
    let cursor = LoadCursor {
        segment,
        after: None,
        root_state: RowSetRoot::new().encode(),
        entries: 0,
        done: false,
    };
    sqlx::query("INSERT INTO sealift_load VALUES (?, ?, NULL, NULL, ?, 0, 0)")
        .bind(i64::from(run.0))
        .bind(i64::from(segment))
        .bind(&cursor.root_state)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(cursor)
}

pub(super) async fn move_load_cursor(
    connection: &mut SqliteConnection,
    url: &str,
    run: RunId,
    next: &LoadCursor,
) -> Result<(), VaultError> {
    sqlx::query(
        "UPDATE sealift_load SET domain = ?, token = ?, root_state = ?, entries = ?, done = ?
         WHERE run = ?",
    )
    .bind(next.after.as_ref().map(|(domain, _)| i64::from(domain.0)))
    .bind(next.after.as_ref().map(|(_, token)| token.as_bytes().to_vec()))
    .bind(&next.root_state)
    .bind(signed(next.entries))
    .bind(next.done)
    .bind(i64::from(run.0))
    .execute(connection)
    .await
    .map_err(|error| vault_error(error, url, "moving a load along"))?;
    Ok(())
}

async fn open_segment(
    connection: &mut SqliteConnection,
    url: &str,
    run: Option<RunId>,
) -> Result<u32, VaultError> {
    let segment: i64 = sqlx::query_scalar(
        "INSERT INTO sealift_segment
         SELECT coalesce(max(segment), 0) + 1, ?, 0, NULL FROM sealift_segment RETURNING segment",
    )
    .bind(run.map(|run| i64::from(run.0)))
    .fetch_one(connection)
    .await
    .map_err(|error| vault_error(error, url, "opening a segment"))?;
    u32::try_from(segment).map_err(|_| VaultError::Inconsistent("segments ran out".to_owned()))
}

/// Puts single entries into the open segment of their run (or of `tokenize`), and counts them.
///
/// A run's late values go into segments of their own, after the one of its load.
pub(super) async fn into_open_segment(
    connection: &mut SqliteConnection,
    url: &str,
    run: Option<RunId>,
    mut rows: Vec<EntryRow>,
) -> Result<Vec<EntryRow>, VaultError> {
    let failed = |error| vault_error(error, url, "counting a segment");
    let number = run.map(|run| i64::from(run.0));
    let open: Option<i64> = sqlx::query_scalar(
        "SELECT max(segment) FROM sealift_segment
         WHERE run IS ? AND root IS NULL AND entries < ?
           AND segment NOT IN (SELECT segment FROM sealift_load)",
    )
    .bind(number)
    .bind(signed(SINGLES_A_SEGMENT))
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    let segment = match open.and_then(|segment| u32::try_from(segment).ok()) {
        Some(segment) => segment,
        None if rows.is_empty() => return Ok(rows),
        None => open_segment(connection, url, run).await?,
    };
    sqlx::query("UPDATE sealift_segment SET entries = entries + ? WHERE segment = ?")
        .bind(i64::try_from(rows.len()).unwrap_or(i64::MAX))
        .bind(i64::from(segment))
        .execute(connection)
        .await
        .map_err(failed)?;
    for row in &mut rows {
        row.segment = segment;
    }
    Ok(rows)
}
