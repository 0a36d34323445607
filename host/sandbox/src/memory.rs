//! The bound on what a call's guests may grow to, over all of their memories and tables together.

use wasmtime::ResourceLimiter;

/// Bytes of one table element: a pointer.
const ELEMENT: usize = size_of::<usize>();

#[derive(Debug, Default)]
pub(crate) struct MemoryBound {
    pub(crate) most: usize,
    pub(crate) used: usize,
    /// A growth was refused: if the guest then traps, this is why.
    pub(crate) refused: bool,
}

impl MemoryBound {
    /// `current` and `desired` are of one memory or table; the bound is on the sum of all.
    fn grow(&mut self, current: usize, desired: usize, unit: usize) -> bool {
        let more = desired.saturating_sub(current).saturating_mul(unit);
        let used = self.used.saturating_add(more);
        let granted = used <= self.most;
        if granted {
            self.used = used;
        } else {
            self.refused = true;
        }
        granted
    }
}

impl ResourceLimiter for MemoryBound {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Past its own maximum a memory can't grow whatever we say, and nothing is used.
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        Ok(self.grow(current, desired, 1))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        Ok(self.grow(current, desired, ELEMENT))
    }
}
