//! Why a server cannot be worked with, in the cases where what PostgreSQL or TLS says does not tell
//! a person what to do.
//!
//! Knows the errors of driver and TLS, and no address: whoever asks names it.

use rustls::CertificateError;

use crate::catalog::postgres::OWN_SCHEMA as SCHEMA;
use crate::run::Crew;
use crate::words::sql_name;

/// Why a session was refused, by the server, by TLS, or by us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The certificate names other hosts.
    #[error("the certificate of the server is for another host")]
    OtherHost,
    /// Nobody whom we trust has signed the certificate.
    #[error("the certificate of the server is signed by nobody who is trusted here")]
    UnknownAuthority,
    /// The certificate has ended, or has not begun.
    #[error("the certificate of the server is not valid at this time")]
    OutOfTime,
    /// TLS failed in another way.
    #[error("the connection could not be encrypted")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server speaks no TLS, and the URL asks for it.
    #[error("the server does not encrypt connections, and `sslmode` asks for it")]
    NoTls,
    /// The connection broke, and could not be made again in the time that a restart takes.
    #[error("the connection with the server is lost")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A function of the database raised an error over a statement that writes no row.
    #[error("a function of the database refuses it (P0001): an event trigger?")]
    Raised,
    /// Triggers and foreign keys do not hold in sessions of the role, and it may not change that.
    #[error(
        "triggers and foreign keys do not hold in sessions of the role: `session_replication_role` \
         is `replica` for it"
    )]
    Replica,
    /// Every connection that the server, the role or the database may have is taken.
    #[error("the server has no connection left (53300): {said}")]
    Crowded {
        /// Whose limit is reached, as the server says it.
        said: String,
    },
    /// The role lacks a privilege without which nothing can begin.
    #[error("role `{role}` lacks {privilege} on {object}")]
    Privilege {
        /// The role.
        role: String,
        /// What it lacks, as SQL calls it.
        privilege: &'static str,
        /// The database or the schema.
        object: String,
        /// The statement that mends it, and who says it.
        grant: String,
    },
    /// Something between us and the server does not let the settings of a session through.
    #[error("the session did not get the settings that keep a run safe (`{setting}`): a pooler?")]
    Pooler {
        /// The first setting that is not as it was asked for.
        setting: &'static str,
    },
}

impl Refusal {
    /// What a driver's error is, where it is one of these.
    pub(super) fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Io(error) => Some(Self::of_tls(error.get_ref()?.downcast_ref()?)),
            sqlx::Error::Tls(error) => match error.downcast_ref() {
                Some(error) => Some(Self::of_tls(error)),
                // The driver has a text for this and no type.
                None if error.to_string().contains("does not support TLS") => Some(Self::NoTls),
                None => Some(Self::Tls(error.to_string().into())),
            },
            error => {
                // PgBouncer answers a parameter that it does not know with a violation of the
                // protocol; PostgreSQL itself knows all that we send.
                // Statements that are prepared twice, or nowhere, were prepared in another session.
                match super::error::state(error)? {
                    "08P01" => Some(Self::Pooler { setting: "options" }),
                    "42P05" | "26000" => Some(Self::Pooler { setting: "prepared statements" }),
                    // What is said of it names roles and databases only.
                    "53300" => Some(Self::Crowded {
                        said: error.as_database_error()?.message().to_owned(),
                    }),
                    _ => None,
                }
            }
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use CertificateError as C;
        match error {
            rustls::Error::InvalidCertificate(
                C::NotValidForName | C::NotValidForNameContext { .. },
            ) => Self::OtherHost,
            rustls::Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => {
                Self::UnknownAuthority
            }
            rustls::Error::InvalidCertificate(
                C::Expired
                | C::ExpiredContext { .. }
                | C::NotValidYet
                | C::NotValidYetContext { .. },
            ) => Self::OutOfTime,
            other => Self::Tls(Box::new(other.clone())),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Privilege { grant, .. } => return grant.clone(),
            Self::Crowded { .. } => {
                let workers = Crew::usual();
                return format!(
                    "a run of N workers takes up to N + 2 sessions of its source and 2 N + 2 of its \
                     vault; N is {workers} on this machine, unless `--workers N` says less. Raise \
                     `max_connections` of the server, or CONNECTION LIMIT of the role or the database, \
                     or have others end sessions"
                );
            }
            Self::OtherHost => {
                "write the host in the URL as the certificate has it; `sslmode=verify-ca` leaves the \
                 name aside"
            }
            Self::UnknownAuthority => {
                "name the certificate of the authority: `?sslmode=verify-full&sslrootcert=FILE`"
            }
            Self::OutOfTime => {
                "have the server's certificate renewed, or check this machine's clock"
            }
            Self::Tls(_) => {
                "check `sslrootcert`, `sslcert`, `sslkey` of the URL, and the server's `ssl_cert_file`"
            }
            Self::NoTls => {
                "switch `ssl` on in the server, or leave `sslmode` away where the way to it is safe"
            }
            Self::Lost(_) => {
                "see that the server is up and can be reached, then run the same command again: it goes \
                 on where it stopped"
            }
            Self::Raised => {
                "an event trigger fires where tables are changed: see which `sealift plan` names, \
                 `ALTER EVENT TRIGGER … DISABLE` for the time of the run, then go on"
            }
            Self::Replica => {
                "ALTER DATABASE … RESET session_replication_role, or ALTER ROLE … RESET \
                 session_replication_role"
            }
            Self::Pooler { .. } => {
                "name the server itself, not the pooler before it: a pooler drops the settings, locks \
                 and cursors of a session; see docs/POSTGRESQL.md"
            }
        };
        hint.to_owned()
    }

    /// The role may not enter the database.
    pub(super) fn not_let_in(role: &str, database: &str) -> Self {
        Self::Privilege {
            role: role.to_owned(),
            privilege: "CONNECT",
            object: format!("database `{database}`"),
            grant: format!(
                "as the owner of the database: GRANT CONNECT ON DATABASE {} TO {}",
                sql_name(database),
                sql_name(role)
            ),
        }
    }

    /// The role may not make the schema that holds everything of ours.
    pub(super) fn no_schema(role: &str, database: &str) -> Self {
        let name = sql_name(role);
        Self::Privilege {
            role: role.to_owned(),
            privilege: "CREATE",
            object: format!("database `{database}`"),
            grant: format!(
                "as the owner of the database: GRANT CREATE ON DATABASE {} TO {name}, or CREATE \
                 SCHEMA {SCHEMA} AUTHORIZATION {name}; then the same command again",
                sql_name(database)
            ),
        }
    }

    /// The role may not make tables in the schema that holds everything of ours.
    pub(super) fn closed_schema(role: &str) -> Self {
        Self::Privilege {
            role: role.to_owned(),
            privilege: "USAGE or CREATE",
            object: format!("schema `{SCHEMA}`"),
            grant: format!(
                "as the owner of the schema: GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {}; then the \
                 same command again",
                sql_name(role)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_what_is_wrong_with_it() {
        let of = |error| {
            Refusal::of(&sqlx::Error::Io(std::io::Error::other(rustls::Error::InvalidCertificate(
                error,
            ))))
        };
        assert!(matches!(of(CertificateError::NotValidForName), Some(Refusal::OtherHost)));
        assert!(matches!(of(CertificateError::UnknownIssuer), Some(Refusal::UnknownAuthority)));
        assert!(matches!(of(CertificateError::Expired), Some(Refusal::OutOfTime)));
        assert!(matches!(of(CertificateError::Revoked), Some(Refusal::Tls(_))));
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(Refusal::of(&sqlx::Error::Io(refused)).is_none());
    }

    #[test]
    fn a_privilege_is_named_with_its_object_and_the_line_that_grants_it() {
        for (refusal, said, line) in [
            (
                Refusal::not_let_in("Ann", "crm"),
                "role `Ann` lacks CONNECT on database `crm`",
                "GRANT CONNECT ON DATABASE crm TO \"Ann\"",
            ),
            (
                Refusal::no_schema("ann", "crm"),
                "role `ann` lacks CREATE on database `crm`",
                "GRANT CREATE ON DATABASE crm TO ann",
            ),
            (
                Refusal::closed_schema("ann"),
                "role `ann` lacks USAGE or CREATE on schema `sealift`",
                "GRANT USAGE, CREATE ON SCHEMA sealift TO ann",
            ),
        ] {
            assert_eq!(refusal.to_string(), said);
            assert!(refusal.hint().contains(line), "{}", refusal.hint());
        }
    }

    #[test]
    fn who_finds_no_connection_learns_how_many_a_run_takes() {
        let refusal = Refusal::Crowded { said: "sorry, too many clients already".to_owned() };
        for part in ["N + 2", "2 N + 2", "max_connections", "CONNECTION LIMIT", "--workers"] {
            assert!(refusal.hint().contains(part), "{part}: {}", refusal.hint());
        }
    }
}
