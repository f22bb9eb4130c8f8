// SPDX-License-Identifier: GPL-2.0

//! What bindgen made of `bindings.h`: C types, constants, functions and the inline helpers.

#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::missing_safety_doc,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    non_snake_case,
    improper_ctypes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]
#![cfg_attr(not(CONFIG_RUSTC_HAS_UNNECESSARY_TRANSMUTES), allow(unknown_lints))]
#![allow(unnecessary_transmutes)]

use kernel::ffi;
use pin_init::{
    MaybeZeroable,
    Zeroable, //
};

type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

// SAFETY: A bit field unit is a newtype around its storage.
unsafe impl<S: Zeroable> Zeroable for __BindgenBitfieldUnit<S> {}

include!(concat!(
    env!("OBJTREE"),
    "/net/mynewtcp/bindings_generated.rs"
));
