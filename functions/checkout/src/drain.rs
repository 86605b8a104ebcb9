//! How a function leaves. A wasm function sees no signal: the kubelet's preStop hook calls the drain path, and the
//! call is answered just before the exit, so that the hook lasts as long as there is something to finish.

use crate::clock::Micros;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Serving,
    /// Gateways still send requests until they have forgotten the pod: everything is served, readiness says no.
    Propagating {
        until: Micros,
    },
    /// Nothing is accepted any more; what has begun may end.
    Finishing {
        until: Micros,
    },
    Over,
}

#[derive(Debug)]
pub struct Drain {
    phase: Phase,
    propagation: Micros,
    request_timeout: Micros,
}

impl Drain {
    pub fn new(propagation: Micros, request_timeout: Micros) -> Self {
        Drain { phase: Phase::Serving, propagation, request_timeout }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// A second call changes nothing. Returns whether this was the first.
    pub fn begin(&mut self, now: Micros) -> bool {
        let first = self.phase == Phase::Serving;
        if first {
            self.phase = Phase::Propagating { until: now + self.propagation };
        }
        first
    }

    /// Goes on to the next phase where it is time; `open` is the number of client connections.
    pub fn tick(&mut self, now: Micros, open: usize) -> Phase {
        self.phase = match self.phase {
            Phase::Propagating { until } if now >= until => Phase::Finishing { until: now + self.request_timeout },
            Phase::Finishing { until } if open == 0 || now >= until => Phase::Over,
            phase => phase,
        };
        self.phase
    }

    /// Whether readiness is to say no.
    pub fn leaving(&self) -> bool {
        self.phase != Phase::Serving
    }

    /// Whether answers are to end their connection.
    pub fn closing(&self) -> bool {
        matches!(self.phase, Phase::Finishing { .. } | Phase::Over)
    }

    pub fn deadline(&self) -> Option<Micros> {
        match self.phase {
            Phase::Propagating { until } | Phase::Finishing { until } => Some(until),
            Phase::Serving | Phase::Over => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_on_for_the_propagation_then_finishes_then_is_over() {
        let mut drain = Drain::new(100, 1000);
        assert_eq!(drain.tick(5, 0), Phase::Serving);
        assert!(!drain.leaving());
        assert!(drain.begin(10));
        assert_eq!(drain.tick(109, 0), Phase::Propagating { until: 110 });
        assert!(drain.leaving() && !drain.closing());
        assert_eq!(drain.tick(110, 2), Phase::Finishing { until: 1110 });
        assert!(drain.closing());
        assert_eq!(drain.tick(500, 1), Phase::Finishing { until: 1110 });
        assert_eq!(drain.tick(501, 0), Phase::Over);
        assert_eq!(drain.deadline(), None);
    }

    #[test]
    fn gives_up_on_requests_that_outlast_the_request_timeout() {
        let mut drain = Drain::new(0, 1000);
        drain.begin(0);
        assert_eq!(drain.tick(0, 3), Phase::Finishing { until: 1000 });
        assert_eq!(drain.tick(999, 3), Phase::Finishing { until: 1000 });
        assert_eq!(drain.tick(1000, 3), Phase::Over);
    }

    #[test]
    fn a_second_call_does_not_start_over() {
        let mut drain = Drain::new(100, 1000);
        assert!(drain.begin(0));
        assert!(!drain.begin(90));
        assert_eq!(drain.deadline(), Some(100));
    }
}
