//! When to try before waiting.

/// Decides whether to try the connections that were just answered before waiting for all: a try costs one system
/// call, a wait one for each connection. With a single busy client a try is in vain, with several it seldom is.
#[derive(Default)]
pub struct Eager {
    skip: u32,
    misses: u32,
}

impl Eager {
    pub fn worthwhile(&mut self) -> bool {
        let try_now = self.skip == 0;
        self.skip = self.skip.saturating_sub(1);
        try_now
    }

    pub fn tried(&mut self, hits: usize, tries: usize) {
        if hits * 4 >= tries {
            self.misses = 0;
        } else {
            self.misses = (self.misses + 1).min(8);
            self.skip = 1 << self.misses;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Eager;

    #[test]
    fn tries_less_and_less_often_while_it_is_in_vain_and_at_once_again_when_not() {
        let mut eager = Eager::default();
        let mut tries = 0;
        for _ in 0..10_000 {
            if eager.worthwhile() {
                eager.tried(0, 4);
                tries += 1;
            }
        }
        assert!((30..100).contains(&tries), "{tries}");
        while !eager.worthwhile() {}
        eager.tried(1, 4);
        assert!(eager.worthwhile() && eager.worthwhile());
    }
}
