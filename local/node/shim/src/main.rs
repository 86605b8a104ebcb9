//! containerd's shim for WebAssembly pods: one process per pod, whose containers run a module in WasmEdge.
//! Linux containers of the same pod, such as its sandbox, run as they are.

use std::collections::HashMap;
use std::fs::read_to_string;

use anyhow::{Context, Result};
use containerd_shim_wasm::sandbox::Sandbox;
use containerd_shim_wasm::sandbox::context::RuntimeContext;
use containerd_shim_wasm::shim::{Cli, Shim, Version, version};
use wasmedge_sdk::vm::SyncInst;
use wasmedge_sdk::wasi::WasiModule;
use wasmedge_sdk::{Module, Store, Vm};

struct WasmEdge;

impl Shim for WasmEdge {
    type Sandbox = WasmContainer;

    fn name() -> &'static str {
        "wasmedge"
    }

    fn version() -> Version {
        version!()
    }
}

#[derive(Default)]
struct WasmContainer;

impl Sandbox for WasmContainer {
    /// Runs in the container's own process, inside its root, namespaces and cgroup.
    async fn run_wasi(&self, ctx: &impl RuntimeContext) -> Result<i32> {
        let entrypoint = ctx.entrypoint();
        let path = ctx.args().first().map_or("", String::as_str);

        let bytes = entrypoint.source.as_bytes()?;
        let module =
            Module::from_bytes(None, &bytes).with_context(|| format!("cannot load {path}"))?;
        drop(bytes);
        log::info!(
            "module {path} runs {}",
            mode(&read_to_string("/proc/self/maps").unwrap_or_default())
        );

        let mut wasi = WasiModule::create(
            Some(ctx.args().iter().map(String::as_str).collect()),
            Some(ctx.envs().iter().map(String::as_str).collect()),
            Some(vec!["/:/"]),
        )?;
        let imports =
            HashMap::from([(wasi.name().to_string(), wasi.as_mut() as &mut dyn SyncInst)]);
        let mut vm = Vm::new(Store::new(None, imports)?);
        vm.register_module(None, module)?;
        // What loading needed, the module's file first of all, is not needed for the pod's life.
        // SAFETY: gives free pages of the heap back, nothing else.
        unsafe { libc::malloc_trim(0) };
        vm.run_func(None, &entrypoint.func, [])?;
        Ok(wasi.exit_code() as i32)
    }
}

/// How the loaded module runs. WasmEdge does not tell: where it cannot load compiled code it interprets, and at most
/// prints a line to the container's output. But compiled code is the only executable memory here that is of no file.
fn mode(maps: &str) -> &'static str {
    let compiled = |line: &str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (permissions, inode, file) = (fields.next(), fields.nth(2), fields.next());
        permissions.is_some_and(|it| it.contains('x')) && inode == Some("0") && file.is_none()
    };
    match maps {
        "" => "in a mode unknown, for want of /proc",
        _ if maps.lines().any(compiled) => "compiled",
        _ => "interpreted",
    }
}

fn main() {
    // There is a shim for each pod, and it does next to nothing between a pod's start and its end. So neither a heap for
    // each thread nor a thread for each core of the node: both grow with the node, not with the work.
    // SAFETY: no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        std::env::set_var("TOKIO_WORKER_THREADS", "1");
    }
    WasmEdge::run(None);
}
