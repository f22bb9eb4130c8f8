// SPDX-License-Identifier: GPL-2.0

//! The engine that is explored can be copied, and can be made to have faults.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cfg=mynewtcp_prove");
}
