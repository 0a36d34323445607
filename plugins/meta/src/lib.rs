//! What the plugins of one provider share.
