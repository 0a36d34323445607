//! Who and what there is, and who logs in, as tests say it.

use serde_json::Value;

use crate::meta::Meta;
use crate::meta::accounts::{App, Business, Config, Consent, Instagram, Number, Page, Person, User, Waba};
use crate::meta::calls;
use crate::meta::tokens::{self, Token, TokenKind};

impl Meta {
    // ---- who and what there is: in the place of what has the same id ----

    /// Adds an app.
    pub fn add_app(&self, app: App) {
        self.server.world.lock().put_app(app);
    }

    /// Adds a person who can log in.
    pub fn add_user(&self, user: User) {
        self.server.world.lock().put_user(user);
    }

    /// Adds a business portfolio.
    pub fn add_business(&self, business: Business) {
        self.server.world.lock().put_business(business);
    }

    /// Adds a Page.
    pub fn add_page(&self, page: Page) {
        self.server.world.lock().put_page(page);
    }

    /// Adds an Instagram account.
    pub fn add_instagram(&self, instagram: Instagram) {
        self.server.world.lock().put_instagram(instagram);
    }

    /// Adds a WABA with its numbers.
    pub fn add_waba(&self, waba: Waba) {
        self.server.world.lock().put_waba(waba);
    }

    /// Adds a business login configuration.
    pub fn add_config(&self, config: Config) {
        self.server.world.lock().put_config(config);
    }

    /// Adds a template: the object that `message_templates` lists.
    pub fn add_template(&self, waba: &str, template: Value) {
        self.server.world.lock().templates.entry(waba.to_owned()).or_default().push(template);
    }

    /// Somebody whose profile can be read, and whose name webhooks tell.
    pub fn add_person(&self, person: Person) {
        self.server.world.lock().learn(person);
    }

    /// Changes a number that is there: `meta.change_number("9…", |number| number.registered = false)`.
    pub fn change_number(&self, id: &str, change: impl FnOnce(&mut Number)) {
        if let Some(number) = self.server.world.lock().number_mut(id) {
            change(number);
        }
    }

    /// Changes a Page that is there.
    pub fn change_page(&self, id: &str, change: impl FnOnce(&mut Page)) {
        if let Some(page) = self.server.world.lock().pages.iter_mut().find(|page| page.id == id) {
            change(page);
        }
    }

    /// Changes a WABA that is there.
    pub fn change_waba(&self, id: &str, change: impl FnOnce(&mut Waba)) {
        if let Some(waba) = self.server.world.lock().wabas.iter_mut().find(|waba| waba.id == id) {
            change(waba);
        }
    }

    /// Changes a template's status.
    pub fn set_template_status(&self, waba: &str, name: &str, status: &str) {
        let mut world = self.server.world.lock();
        for template in world.templates.get_mut(waba).into_iter().flatten().filter(|template| template["name"] == name) {
            template["status"] = status.into();
        }
    }

    /// The answer to a send tells this `wa_id` for that number.
    pub fn set_wa_id(&self, number: &str, wa_id: &str) {
        self.server.world.lock().wa_ids.insert(number.into(), wa_id.into());
    }

    /// The person's window with the account is closed until they write again.
    pub fn close_window(&self, account: &str, person: &str) {
        self.server.world.lock().windows.insert((account.into(), person.into()), 0);
    }

    /// The person's window with the account opens now.
    pub fn open_window(&self, account: &str, person: &str) {
        self.server.world.lock().windows.insert((account.into(), person.into()), self.server.now_ms());
    }

    // ---- logging in ----

    /// What the person at the dialogs does from now on.
    pub fn set_consent(&self, consent: Consent) {
        self.server.world.lock().consent = consent;
    }

    /// A code as the JavaScript SDK of Embedded Signup gives it: a business token, no redirect URI.
    #[must_use]
    pub fn signup_code(&self, app: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::SystemUser, app, "", scopes, 0);
        self.server.tokens.lock().code(None, token)
    }

    /// A person's long-lived token, for manual entry.
    #[must_use]
    pub fn user_token(&self, app: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::User, app, "", scopes, tokens::LONG_S);
        self.server.tokens.lock().mint(token).token
    }

    /// A system user's token that never expires; 0 in `lives_s` is for good.
    #[must_use]
    pub fn system_token(&self, app: &str, scopes: &[&str], lives_s: u64) -> String {
        let token = self.token(TokenKind::SystemUser, app, "", scopes, lives_s);
        self.server.tokens.lock().mint(token).token
    }

    /// A Page's token that never expires.
    #[must_use]
    pub fn page_token(&self, app: &str, page: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::Page, app, page, scopes, 0);
        self.server.tokens.lock().mint(token).token
    }

    /// An Instagram account's token of sixty days.
    #[must_use]
    pub fn instagram_token(&self, app: &str, instagram: &str, scopes: &[&str]) -> String {
        let token = self.token(TokenKind::Instagram, app, instagram, scopes, tokens::LONG_S);
        self.server.tokens.lock().mint(token).token
    }

    fn token(&self, kind: TokenKind, app: &str, profile: &str, scopes: &[&str], lives_s: u64) -> Token {
        let world = self.server.world.lock();
        let user = world.consent.user.clone().or_else(|| world.users.first().map(|user| user.id.clone())).unwrap_or_default();
        let scoped = world.instagram(profile).filter(|_| kind == TokenKind::Instagram).map(|instagram| instagram.scoped_id.clone());
        let now = self.server.now_s();
        Token {
            kind,
            app: app.to_owned(),
            user: scoped.unwrap_or(user),
            profile: profile.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            assets: calls::oauth::ticked(&world),
            issued_at: now,
            expires_at: if lives_s == 0 { 0 } else { now + lives_s },
            long: true,
            ..Token::default()
        }
    }

    /// The token answers 190 with this subcode from now on: 458 app removed, 460 password changed, 463 expired, 492
    /// role lost.
    pub fn kill_token(&self, token: &str, subcode: u32) {
        self.server.tokens.lock().change(|one| one.token == token, |one| one.dead = Some(subcode));
    }

    /// Every token that the person gave, their Pages' too, answers 190 with this subcode.
    pub fn kill_tokens_of(&self, user: &str, subcode: u32) {
        self.server.tokens.lock().change(|one| one.user == user, |one| one.dead = Some(subcode));
    }

    /// The token loses a scope.
    pub fn take_scope(&self, token: &str, scope: &str) {
        self.server.tokens.lock().change(|one| one.token == token, |one| one.scopes.retain(|granted| granted != scope));
    }
}
