//! Baselines that are wasmtime and nothing else: a call across the wall, a compilation, a load of compiled code.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use wasmtime::component::{Component, Linker, TypedFunc};
use wasmtime::{Config, Engine, Store};

use crate::sample::timed;

/// A guest that calls `get(key) -> list<u8>` as often as told: text in, bytes out, as a cache hit has it, with nothing
/// behind. `realloc` always gives the same place: nothing outlives its call here.
const CALLER: &str = r#"
(component
  (import "get" (func $get (param "key" string) (result (list u8))))
  (core module $libc
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core module $main
    (import "libc" "memory" (memory 2))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (data (i32.const 16) "bench:hit")
    (func (export "run") (param $n i32) (result i32)
      (local $sum i32)
      (loop $again
        (call $get (i32.const 16) (i32.const 9) (i32.const 0))
        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.const 4))))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (local.get $sum)))
  (core instance $libc (instantiate $libc))
  (core func $lowered (canon lower (func $get) (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance (export "get" (func $lowered))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $main "run"))))
"#;

/// Calls from a guest into a host function that hands out a copy of a value.
pub struct Caller {
    store: Store<Vec<u8>>,
    run: TypedFunc<(u32,), (u32,)>,
}

impl Caller {
    pub fn new(value: Vec<u8>) -> Result<Caller> {
        let engine = engine()?;
        let component = Component::new(&engine, wat::parse_str(CALLER)?).map_err(|e| anyhow!("{e:?}"))?;
        let mut linker: Linker<Vec<u8>> = Linker::new(&engine);
        linker
            .root()
            .func_wrap("get", |store: wasmtime::StoreContextMut<'_, Vec<u8>>, (_key,): (String,)| {
                Ok((store.data().clone(),))
            })
            .map_err(|e| anyhow!("{e:?}"))?;
        let mut store = Store::new(&engine, value);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = linker.instantiate(&mut store, &component).map_err(|e| anyhow!("{e:?}"))?;
        let run = instance.get_typed_func(&mut store, "run").map_err(|e| anyhow!("{e:?}"))?;
        Ok(Caller { store, run })
    }

    /// `n` calls in batches of `batch`; each batch's mean in nanoseconds.
    pub fn calls(&mut self, n: u64, batch: u64) -> Result<Vec<f64>> {
        let per_batch = u32::try_from(batch)?;
        let means = timed(n / batch, 1, |_| {
            let (sum,) = self.run.call(&mut self.store, (per_batch,)).map_err(|e| anyhow!("{e:?}"))?;
            Ok(u64::from(sum))
        })?;
        Ok(means.into_iter().map(|ns| ns / batch as f64).collect())
    }
}

fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true);
    Engine::new(&config).map_err(|e| anyhow!("{e:?}"))
}

/// Time to compile a component, and to load what came out: validated and mapped from a file, as the host does.
pub fn compile_and_load(wasm: &[u8]) -> Result<(Duration, Duration)> {
    let engine = engine()?;
    let start = Instant::now();
    let component = Component::new(&engine, wasm).map_err(|e| anyhow!("{e:?}"))?;
    let compiled = start.elapsed();
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), component.serialize().map_err(|e| anyhow!("{e:?}"))?)?;
    let start = Instant::now();
    // SAFETY: the file was written by this process from the same engine's own output just now, and nobody else knows it.
    let loaded = unsafe { Component::deserialize_file(&engine, file.path()) };
    let took = start.elapsed();
    loaded.map_err(|e| anyhow!("{e:?}"))?;
    Ok((compiled, took))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_raw_caller_gets_the_whole_value() {
        let mut caller = Caller::new(vec![7; 100]).unwrap();
        let (sum,) = caller.run.call(&mut caller.store, (5,)).unwrap();
        assert_eq!(sum, 500);
    }
}
