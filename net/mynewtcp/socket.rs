// SPDX-License-Identifier: GPL-2.0

//! The socket calls, one file each. Each answers with the errno that Linux' TCP gives.

pub(crate) mod accept;
pub(crate) mod bind;
pub(crate) mod close;
pub(crate) mod connect;
pub(crate) mod ioctl;
pub(crate) mod listen;
pub(crate) mod options;
pub(crate) mod poll;
pub(crate) mod recvmsg;
pub(crate) mod sendmsg;
pub(crate) mod shutdown;
