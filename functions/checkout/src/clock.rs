//! Time, asked for rarely: each call leaves the WebAssembly sandbox.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since the process started.
pub type Micros = u64;

fn start() -> &'static (Instant, Duration) {
    static START: OnceLock<(Instant, Duration)> = OnceLock::new();
    START.get_or_init(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        (Instant::now(), wall.unwrap_or_default())
    })
}

pub fn now() -> Micros {
    micros(start().0.elapsed())
}

/// The time of day that a moment was, without asking the clock again.
pub fn wall(moment: Micros) -> Duration {
    start().1 + Duration::from_micros(moment)
}

pub fn micros(duration: Duration) -> Micros {
    duration.as_micros().min(u128::from(u64::MAX / 4)) as u64
}

/// Burns this much CPU time, however long the CPU limit makes that take.
pub fn burn(time: Micros) {
    let until = cpu_time() + time;
    while cpu_time() < until {
        let mut value = 1u32;
        for _ in 0..500 {
            value = std::hint::black_box(value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        }
    }
}

#[cfg(unix)]
fn cpu_time() -> Micros {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of this frame.
    match unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) } {
        0 => time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1000,
        _ => now(),
    }
}

#[cfg(target_os = "wasi")]
fn cpu_time() -> Micros {
    use wasmedge_wasi_socket::wasi_poll::CLOCKID_THREAD_CPUTIME_ID;

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        fn clock_time_get(id: u32, precision: u64, time: *mut u64) -> u32;
    }
    let mut nanos = 0;
    // SAFETY: the host writes one u64 there.
    match unsafe { clock_time_get(CLOCKID_THREAD_CPUTIME_ID, 1000, &mut nanos) } {
        0 => nanos / 1000,
        _ => now(),
    }
}
