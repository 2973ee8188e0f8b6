//! Points at which a model takes part in its own saving and deleting.

use crate::Result;

/// What a model does around its own saving and deleting, and its rules over several fields. Every model has it, doing
/// nothing; with `#[model(hooks)]` you write it:
///
/// ```
/// use covet::prelude::*;
///
/// #[derive(Model, Clone)]
/// #[model(hooks)]
/// struct Page {
///     id: Id<Page>,
///     title: String,
///     slug: Option<Slug>,
///     from: Date,
///     to: Date,
/// }
///
/// impl Hooks for Page {
///     fn clean(&self) -> Result<()> {
///         if self.from > self.to {
///             return Err(Error::invalid("to", "is before `from`"));
///         }
///         Ok(())
///     }
///
///     async fn pre_save(&mut self, _new: bool) -> Result<()> {
///         self.slug.get_or_insert_with(|| Slug::of(&self.title));
///         Ok(())
///     }
/// }
/// ```
///
/// The points are met by `create`, `save`, `save_fields`, `get_or_create` and `delete` of a row. Statements over many rows
/// (`bulk_create`, `update` and `delete` of a query, cascades) load no rows and meet none of them, as in Django. An error stops
/// what is under way; an error of `post_save` or `post_delete` comes when the row is stored or gone already: put a transaction
/// around to have both or neither.
#[allow(async_fn_in_trait)] // A guest has one thread: nobody needs these futures to be Send.
pub trait Hooks: Sized {
    /// Rules over several fields, checked after those of each field.
    ///
    /// # Errors
    /// What is wrong, as [`Error::invalid`](crate::Error::invalid).
    fn clean(&self) -> Result<()> {
        Ok(())
    }

    /// Before the row is checked and stored. `new`: it has not been stored before, as far as it knows.
    ///
    /// # Errors
    /// Your own; then nothing is stored.
    async fn pre_save(&mut self, new: bool) -> Result<()> {
        let _ = new;
        Ok(())
    }

    /// After the row was stored.
    ///
    /// # Errors
    /// Your own.
    async fn post_save(&mut self, created: bool) -> Result<()> {
        let _ = created;
        Ok(())
    }

    /// Before the row is deleted.
    ///
    /// # Errors
    /// Your own; then nothing is deleted.
    async fn pre_delete(&self) -> Result<()> {
        Ok(())
    }

    /// After the row was deleted.
    ///
    /// # Errors
    /// Your own.
    async fn post_delete(&self) -> Result<()> {
        Ok(())
    }
}
