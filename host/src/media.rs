//! Files of messages. What comes in is fetched in the background, through the plugin, into the blob store ([`worker`]) and shown with
//! its state ([`view`]); what goes out was uploaded or is imported from a URL ([`import`]). Both are served by URLs that the gateway
//! signs ([`links`]), never by the provider's. What nobody needs any more is swept.

mod fetch;
mod import;
pub mod links;
mod sweep;
mod view;
mod wanted;
pub mod worker;

pub use fetch::open;
pub use import::import;
pub use links::Links;
pub use view::view;
pub use wanted::wanted;
