// SPDX-License-Identifier: GPL-2.0

//! Says by which name the kernel's configuration knows the feature `selftest`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_SELFTEST").is_some() {
        println!("cargo::rustc-cfg=CONFIG_MY_NEWTCP_KUNIT_TEST");
    }
}
