// SPDX-License-Identifier: GPL-2.0

//! Tests that run in the kernel at boot: the engine's own vectors on this very build, and what
//! only a kernel can show.

use kernel::prelude::*;

#[kunit_tests(mynewtcp_engine)]
mod engine {
    use super::*;
    use crate::engine::selftest::player::play;
    use crate::engine::selftest::vectors::{
        PIECES,
        SCRIPTS, //
    };
    use crate::engine::selftest::VECTORS;

    #[test]
    fn vectors_hold() -> Result {
        let mut failed = 0;
        for (name, vector) in VECTORS {
            if let Err(why) = vector() {
                pr_err!("mynewtcp: vector {name}: {why}\n");
                failed += 1;
            }
        }
        assert_eq!(failed, 0);
        assert!(!VECTORS.is_empty());
        Ok(())
    }

    #[test]
    fn recorded_runs_repeat() -> Result {
        let mut failed = 0;
        for (name, script) in SCRIPTS {
            if let Err(wrong) = play::<PIECES>(script) {
                let (line, what) = (wrong.line, wrong.what);
                pr_err!("mynewtcp: vectors/{name}.txt:{line}: {what}\n");
                failed += 1;
            }
        }
        assert_eq!(failed, 0);
        assert!(!SCRIPTS.is_empty());
        Ok(())
    }
}
