//! The templates that an account's provider keeps and approves, as it tells them now.

use std::sync::Arc;

use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{change::running_for, connect::refusal, standing::stand_after};
use crate::{
    app::App,
    domain::{
        account::Account,
        failure::{Failure, FailureClass},
    },
    error::ApiError,
    plugins::convert,
};

/// A template as the provider has it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProviderTemplate {
    pub id: Option<String>,
    pub name: String,
    pub language: String,
    pub category: String,
    /// `approved`, `pending`, `rejected`, `paused`, …
    pub status: String,
    pub reason: Option<String>,
    pub quality: Option<String>,
    /// The provider's own form.
    pub components: Value,
}

/// Some of them, and where the next are.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TemplateList {
    pub templates: Vec<ProviderTemplate>,
    /// For the next page; none at the end.
    pub cursor: Option<String>,
}

/// Asks the provider for the account's templates.
///
/// # Errors
/// 422 where the channel type has none; what the provider said against it.
pub async fn list_templates(app: &Arc<App>, account: &Account, cursor: Option<&str>) -> Result<TemplateList, ApiError> {
    let version = running_for(app, account)?;
    if !version.has_templates() {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unsupported",
            format!("{} has no templates that a provider approves.", account.channel_type),
        ));
    }
    match version.list_templates(app, account, cursor).await? {
        Ok(Ok(page)) => {
            let templates = page.templates.into_iter().map(|template| ProviderTemplate {
                id: template.id,
                name: template.name,
                language: template.language,
                category: template.category,
                status: template.status,
                reason: template.reason,
                quality: template.quality,
                components: serde_json::from_str(&template.components).unwrap_or(Value::Null),
            });
            Ok(TemplateList { templates: templates.collect(), cursor: page.cursor })
        }
        Ok(Err(failure)) => {
            let failure = convert::failure_in(failure);
            if failure.ended_session() {
                stand_after(app, account, &failure).await?;
            }
            Err(refusal(&failure))
        }
        Err(fault) => Err(refusal(&Failure::new(FailureClass::Fault, "plugin_fault", fault.to_string()))),
    }
}
