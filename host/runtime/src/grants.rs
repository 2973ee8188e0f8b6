//! What a plugin was granted, asked once per plan: it costs nothing per call.

use covet_orm::Plan;

/// Decides whether a plan may be made.
pub trait Grants: Send + Sync {
    /// # Errors
    /// What was not granted, as `table orders`.
    fn allow(&self, plugin: &str, plan: &Plan) -> Result<(), String>;
}

/// The default: a plugin reads and writes the tables of its own models. Shapes can name no others, so there is nothing to
/// refuse.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnModels;

impl Grants for OwnModels {
    fn allow(&self, _plugin: &str, _plan: &Plan) -> Result<(), String> {
        Ok(())
    }
}
