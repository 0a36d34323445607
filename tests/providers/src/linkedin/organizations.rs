//! Organisations, and who may do what for them.

use serde_json::{Value, json};

use crate::linkedin::answer::{Outcome, Refusal, Reply};
use crate::linkedin::ask::Ask;
use crate::linkedin::server::Server;
use crate::linkedin::world::Grant;

const READERS: [&str; 4] = ["rw_organization_admin", "r_organization_admin", "r_organization_social", "w_organization_social"];

pub(crate) fn acls(server: &Server, ask: &Ask, caller: &Grant) -> Outcome {
    caller.need(&READERS, "organizationAcls.FINDER-roleAssignee")?;
    if ask.query("q") != Some("roleAssignee") {
        return Err(Refusal::invalid("Parameter 'q' has to be roleAssignee"));
    }
    let world = server.world.lock();
    let wanted = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let of_them = world.organizations.iter().filter(|one| wanted("role", &one.role) && wanted("state", &one.state));
    let elements: Vec<Value> = of_them
        .map(|one| {
            json!({"organization": format!("urn:li:organization:{}", one.id), "role": one.role, "state": one.state,
                "roleAssignee": world.me_urn()})
        })
        .collect();
    Ok(Reply::json(json!({"paging": {"start": 0, "count": 10, "total": elements.len(), "links": []}, "elements": elements})))
}

pub(crate) fn read(server: &Server, ask: &Ask, caller: &Grant) -> Outcome {
    caller.need(&READERS, "organizations.GET")?;
    let id = ask.key(2)?;
    let world = server.world.lock();
    let one = world.organizations.iter().find(|one| one.id == id).ok_or_else(|| Refusal::of(404))?;
    let number: u64 = one.id.parse().unwrap_or_default();
    Ok(Reply::json(json!({"id": number, "localizedName": one.name, "vanityName": one.vanity_name,
        "name": {"localized": {"en_US": one.name}, "preferredLocale": {"country": "US", "language": "en"}},
        "logoV2": {"original": format!("urn:li:digitalmediaAsset:{}", one.id)}})))
}
