//! What every engine must do alike, shown through the command line. A new engine is done when green.
//!
//! The stage is one small database, written down once for each engine; the promises know no engine.

mod stage;

mod backup;
mod crash;
#[cfg(feature = "failpoints")]
mod guards;
mod life;
#[cfg(feature = "failpoints")]
mod model;
#[cfg(feature = "failpoints")]
mod places;
mod predicted;
mod rehearsal;
mod vault_copy;
mod writers;

/// Turns each promise into one test for each combination of source and vault.
macro_rules! every_engine {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $promise() { super::$promise(crate::conformance::stage::Stage::sqlite()); })+
        }
        mod postgres {
            $(
                #[test]
                #[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
                fn $promise() { super::$promise(crate::conformance::stage::Stage::postgres()); }
            )+
        }
        mod vault_on_postgres {
            $(
                #[test]
                #[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
                fn $promise() {
                    let stage = crate::conformance::stage::Stage::sqlite_and_vault_on_postgres();
                    super::$promise(stage);
                }
            )+
        }
        mod one_database {
            $(
                #[test]
                #[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
                fn $promise() { super::$promise(crate::conformance::stage::Stage::one_database()); }
            )+
        }
    };
}

use every_engine;
