//! Acts in any order, against a simple model of what each cell holds.
//!
//! A life is a list of acts: of a steward, an approver, an application, somebody who changes tables, a
//! machine that dies, and somebody who puts an old vault back. After each the promises are held
//! against the database. A list that breaks one is cut down to the shortest that does; its seed is
//! printed, and `SEALIFT_SEED=N` plays the same lists again. `SEALIFT_LIVES=N` plays more of them.

mod act;
mod world;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use act::{Act, act};
use world::World;

/// Acts of one life.
const ACTS: std::ops::Range<usize> = 8..18;

/// How often a list that breaks a promise is cut down.
const CUTS_MAX: u32 = 40;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays so many lives; each begins in a world of its own.
fn plays(lives: u32, begin: fn() -> World) {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = number("SEALIFT_SEED").unwrap_or_else(|| now().as_secs());
    let lives = number("SEALIFT_LIVES").map_or(lives, |lives| u32::try_from(lives).unwrap());
    println!("seed {seed}   (SEALIFT_SEED={seed} does the same again)");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: lives,
        max_shrink_iters: CUTS_MAX,
        failure_persistence: None,
        ..Config::default()
    };
    let chance = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let played = TestRunner::new_with_rng(config, chance)
        .run(&vec(act(), ACTS), |acts: Vec<Act>| begin().lives(&acts).map_err(TestCaseError::fail));
    match played {
        Ok(()) => {}
        Err(TestError::Fail(why, acts)) => {
            panic!("seed {seed}: {why}\nthe shortest list that breaks it: {acts:#?}")
        }
        Err(TestError::Abort(why)) => panic!("seed {seed}: {why}"),
    }
}

#[test]
fn whatever_is_done_in_whatever_order_no_value_is_lost_on_sqlite() {
    plays(2, World::sqlite);
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn whatever_is_done_in_whatever_order_no_value_is_lost_on_postgres() {
    plays(1, World::postgres);
}

/// A list that does everything once, so that no act goes untried for want of chance.
#[test]
fn a_life_in_which_everything_happens_holds() {
    World::sqlite().lives(&act::everything()).unwrap();
}

#[test]
#[ignore = "needs SEALIFT_TEST_POSTGRES_URL"]
fn a_life_in_which_everything_happens_holds_on_postgres() {
    World::postgres().lives(&act::everything()).unwrap();
}

mod soak {
    use super::{World, plays};

    #[test]
    #[ignore = "minutes long: tests/soak.sh runs it"]
    fn sixty_lives_of_acts_in_any_order_lose_nothing_on_sqlite() {
        plays(60, World::sqlite);
    }

    #[test]
    #[ignore = "minutes long: tests/soak.sh runs it"]
    fn sixty_lives_of_acts_in_any_order_lose_nothing_on_postgres() {
        plays(60, World::postgres);
    }
}
