// SPDX-License-Identifier: GPL-2.0

//! Start-up, in steps, each of which takes itself back when a later one fails.
//!
//! The order follows the dependencies: what can be reached from outside comes last, so that
//! nobody ever meets a half of the protocol.

use super::{
    bindings as b,
    demux::Tables,
    family,
    memory,
    proto::{
        Protocol,
        IP_PROTOCOL, //
    },
    random,
    resident::Cache,
    statics::Statics, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A step that has been taken, and how to take it back.
enum Undo<E: Protocol> {
    SocketsCounter,
    Proto(&'static Statics<E>),
    PerNet(&'static Statics<E>),
    Offload4(&'static Statics<E>),
    Offload6(&'static Statics<E>),
    Protocol4(&'static Statics<E>),
    Protocol6(&'static Statics<E>),
    Switch4(&'static Statics<E>),
    Switch6(&'static Statics<E>),
    #[cfg(CONFIG_MY_NEWTCP_DIAG)]
    Diag(&'static Statics<E>),
    Family,
    Tables(
        #[allow(dead_code, reason = "dropping it is its use")] Tables,
        #[allow(dead_code, reason = "dropping it is its use")] Cache<E>,
    ),
}

impl<E: Protocol> Drop for Undo<E> {
    fn drop(&mut self) {
        // SAFETY: Each is the opposite of what the step that made the value has done, once.
        unsafe {
            match self {
                Self::SocketsCounter => {
                    b::newtcp_percpu_counter_destroy(&raw mut b::newtcp_sockets_allocated)
                }
                Self::Proto(s) => b::proto_unregister(s.proto.get()),
                Self::PerNet(s) => b::unregister_pernet_subsys(s.pernet.get()),
                Self::Tables(..) => {}
                Self::Offload4(s) => {
                    b::inet_del_offload(s.offload4.get(), IP_PROTOCOL);
                }
                Self::Offload6(s) => {
                    b::newtcp_inet6_del_offload(s.offload6.get(), IP_PROTOCOL);
                }
                Self::Protocol4(s) => {
                    b::inet_del_protocol(s.protocol4.get(), IP_PROTOCOL);
                }
                Self::Protocol6(s) => {
                    b::newtcp_inet6_del_protocol(s.protocol6.get(), IP_PROTOCOL);
                }
                Self::Switch4(s) => b::inet_unregister_protosw(s.switch4.get()),
                Self::Switch6(s) => b::newtcp_inet6_unregister_protosw(s.switch6.get()),
                #[cfg(CONFIG_MY_NEWTCP_DIAG)]
                Self::Diag(s) => b::inet_diag_unregister(s.diag.get()),
                Self::Family => b::sock_unregister(b::AF_INET_NEW_TCP as i32),
            }
        }
    }
}

/// The protocol, registered. Dropping it takes everything back, the last step first.
pub(crate) struct Registration<E: Protocol> {
    done: KVec<Undo<E>>,
}

impl<E: Protocol> Drop for Registration<E> {
    fn drop(&mut self) {
        while let Some(step) = self.done.pop() {
            drop(step);
        }
        // SAFETY: Mini objects and sockets are freed by RCU callbacks, in code that stays.
        unsafe { b::rcu_barrier() };
    }
}

/// One step: its name in the log, and what it does.
struct Step<E: Protocol> {
    name: &'static str,
    run: fn(&'static Statics<E>) -> Result<Undo<E>>,
    /// Not without IPv6.
    v6: bool,
}

impl<E: Protocol> Registration<E> {
    const STEPS: &'static [Step<E>] = &[
        Step {
            name: "count sockets",
            v6: false,
            run: |_| {
                random::init();
                memory::init_limits();
                E::sysctl_init();
                // SAFETY: Nobody uses the counter yet.
                to_result(unsafe {
                    b::newtcp_percpu_counter_init(&raw mut b::newtcp_sockets_allocated)
                })
                .map(|()| Undo::SocketsCounter)
            },
        },
        Step {
            name: "allocate connection tables",
            v6: false,
            run: |s| {
                let tables = Tables::new(memory::usable_pages())?;
                s.ports.init()?;
                Ok(Undo::Tables(tables, Cache::new()?))
            },
        },
        Step {
            name: "register struct proto",
            v6: false,
            // SAFETY: The table is static and complete.
            run: |s| {
                to_result(unsafe { b::proto_register(s.proto.get(), 1) }).map(|()| Undo::Proto(s))
            },
        },
        Step {
            name: "set up network namespaces",
            v6: false,
            // SAFETY: The table is static and complete.
            run: |s| {
                to_result(unsafe { b::register_pernet_subsys(s.pernet.get()) })
                    .map(|()| Undo::PerNet(s))
            },
        },
        Step {
            name: "register IPv4 segmentation",
            v6: false,
            // SAFETY: The table is static and complete.
            run: |s| {
                busy(unsafe { b::inet_add_offload(s.offload4.get(), IP_PROTOCOL) })
                    .map(|()| Undo::Offload4(s))
            },
        },
        Step {
            name: "register IPv6 segmentation",
            v6: true,
            // SAFETY: The table is static and complete.
            run: |s| {
                busy(unsafe { b::newtcp_inet6_add_offload(s.offload6.get(), IP_PROTOCOL) })
                    .map(|()| Undo::Offload6(s))
            },
        },
        Step {
            name: "register the IPv4 protocol",
            v6: false,
            // SAFETY: The table is static and complete.
            run: |s| {
                busy(unsafe { b::inet_add_protocol(s.protocol4.get(), IP_PROTOCOL) })
                    .map(|()| Undo::Protocol4(s))
            },
        },
        Step {
            name: "register the IPv6 protocol",
            v6: true,
            // SAFETY: The table is static and complete.
            run: |s| {
                busy(unsafe { b::newtcp_inet6_add_protocol(s.protocol6.get(), IP_PROTOCOL) })
                    .map(|()| Undo::Protocol6(s))
            },
        },
        Step {
            name: "register with AF_INET",
            v6: false,
            run: |s| {
                // SAFETY: The entry is static and complete.
                unsafe { b::inet_register_protosw(family::protosw(s, false)) };
                Ok(Undo::Switch4(s))
            },
        },
        Step {
            name: "register with AF_INET6",
            v6: true,
            // SAFETY: The entry is static and complete.
            run: |s| {
                to_result(unsafe { b::newtcp_inet6_register_protosw(family::protosw(s, true)) })
                    .map(|()| Undo::Switch6(s))
            },
        },
        #[cfg(CONFIG_MY_NEWTCP_DIAG)]
        Step {
            name: "register socket diagnosis",
            v6: false,
            // SAFETY: The table is static and complete.
            run: |s| {
                to_result(unsafe { b::inet_diag_register(s.diag.get()) }).map(|()| Undo::Diag(s))
            },
        },
        Step {
            name: "register AF_INET_NEW_TCP",
            v6: false,
            // SAFETY: The table is static and complete.
            run: |s| to_result(unsafe { b::sock_register(s.family.get()) }).map(|()| Undo::Family),
        },
    ];

    /// Takes all steps. If one fails, the log says which and why, and nothing remains.
    pub(crate) fn new() -> Result<Self> {
        let statics = E::statics();
        let mut this = Self {
            done: KVec::with_capacity(Self::STEPS.len(), GFP_KERNEL)?,
        };
        // SAFETY: No requirements.
        let v6 = unsafe { b::newtcp_ipv6_enabled() };
        for (number, step) in (1..).zip(Self::STEPS) {
            if step.v6 && !v6 {
                continue;
            }
            let result = injected_failure(number).and_then(|()| (step.run)(statics));
            match result {
                Ok(undo) => this.done.push(undo, GFP_KERNEL)?,
                Err(e) => {
                    pr_err!(
                        "step {} of {} failed: {}: errno {}\n",
                        number,
                        Self::STEPS.len(),
                        step.name,
                        e.to_errno(),
                    );
                    return Err(e);
                }
            }
        }
        Ok(this)
    }
}

/// `inet_add_protocol()` and its kind say -1 when the number is taken.
fn busy(result: i32) -> Result {
    if result == 0 {
        Ok(())
    } else {
        Err(EBUSY)
    }
}

/// Fails the step that the boot parameter `mynewtcp.fail_step` names.
fn injected_failure(number: i32) -> Result {
    // SAFETY: Written by the command line parser before any initcall, and never again.
    if unsafe { b::newtcp_fail_step } == number {
        return Err(ENOMEM);
    }
    Ok(())
}
