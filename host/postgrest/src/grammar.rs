//! How things are written: select trees, orders, fields, values, logic trees. What they mean, and whether there is such a column,
//! is asked later ([`crate::parse`]).

use winnow::{
    ModalResult, Parser,
    ascii::dec_int,
    combinator::{alt, delimited, eof, not, opt, peek, preceded, repeat, separated, terminated},
    error::{ContextError, ParseError, StrContext, StrContextValue},
    token::{any, none_of, rest, take_while},
};

use crate::{error::Error, query::Step};

/// Brackets inside of brackets, at most.
const DEPTH_MAX: usize = 16;

/// A column with a path into it, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldText {
    pub(crate) column: String,
    pub(crate) path: Vec<Step>,
    pub(crate) as_text: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SelectText {
    Star,
    Field { alias: Option<String>, field: FieldText, cast: Option<String>, aggregate: Option<String> },
    Embed { alias: Option<String>, name: String, hints: Vec<String>, spread: bool, select: Vec<SelectText> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderText {
    pub(crate) field: FieldText,
    /// `asc`, `desc`, `nullsfirst`, `nullslast`.
    pub(crate) words: Vec<String>,
}

/// `not.` as often as it is written, the operator, what stands in its brackets, and the value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestText {
    pub(crate) negated: bool,
    pub(crate) operator: String,
    pub(crate) modifier: Option<String>,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TreeText {
    All { negated: bool, branches: Vec<TreeText> },
    Any { negated: bool, branches: Vec<TreeText> },
    Test { field: FieldText, test: TestText },
}

type Failed<'i> = ParseError<&'i str, ContextError>;

/// Reads the whole text, or says where it stopped being what it should be.
fn whole<'i, T>(what: &str, text: &'i str, parser: impl Parser<&'i str, T, winnow::error::ErrMode<ContextError>>) -> Result<T, Error> {
    check_depth(what, text)?;
    terminated(parser, eof).parse(text).map_err(|error| failed(what, text, &error))
}

fn failed(what: &str, text: &str, error: &Failed<'_>) -> Error {
    let offset = error.offset();
    let unexpected = match text.get(offset..).and_then(|rest| rest.chars().next()) {
        Some(character) => format!("unexpected \"{character}\" at character {}", text.get(..offset).unwrap_or(text).chars().count() + 1),
        None => "unexpected end of input".to_owned(),
    };
    let expected = error.inner().to_string().replace('\n', ", ");
    Error::unparsed(what, text, if expected.is_empty() { unexpected } else { format!("{unexpected}, {expected}") })
}

/// Parsers go down with the brackets: somebody's thousand brackets must not take the stack.
fn check_depth(what: &str, text: &str) -> Result<(), Error> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '{' | '[' if !quoted => depth += 1,
            ')' | '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(Error::unparsed(what, text, format!("more than {DEPTH_MAX} brackets inside of each other")));
        }
    }
    Ok(())
}

fn expects(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

/// `"…"` with `\` before what would end it.
fn quoted(input: &mut &str) -> ModalResult<String> {
    delimited('"', repeat(0.., alt((preceded('\\', any), none_of(['"', '\\'])))), '"').parse_next(input)
}

/// Letters, digits, `_`, `$`, spaces, and a dash that begins no arrow; or anything in quotes.
fn name(input: &mut &str) -> ModalResult<String> {
    let plain = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$' | ' ');
    let dash = ('-', not('>')).void();
    let bare = repeat::<_, _, (), _, _>(1.., alt((take_while(1.., plain).void(), dash))).take().map(|text: &str| text.trim().to_owned());
    alt((quoted, bare)).context(expects("a name")).parse_next(input)
}

fn step(input: &mut &str) -> ModalResult<Step> {
    let index = terminated(dec_int::<_, i32, _>, peek(not(take_while(1, |c: char| c.is_alphanumeric() || c == '_'))));
    alt((index.map(Step::Index), name.map(Step::Key))).parse_next(input)
}

/// `->a->0`: the steps, and whether the last arrow reads text.
fn path(input: &mut &str) -> ModalResult<(Vec<Step>, bool)> {
    let steps: Vec<(&str, Step)> = repeat(0.., (alt(("->>", "->")), step)).parse_next(input)?;
    let texts = steps.iter().filter(|(arrow, _)| *arrow == "->>").count();
    let as_text = steps.last().is_some_and(|(arrow, _)| *arrow == "->>");
    if texts > usize::from(as_text) {
        // What was read as text has no places any more.
        return winnow::combinator::fail.context(expects("->> as the last arrow")).parse_next(input);
    }
    Ok((steps.into_iter().map(|(_, step)| step).collect(), as_text))
}

fn field(input: &mut &str) -> ModalResult<FieldText> {
    let column = name.parse_next(input)?;
    let (path, as_text) = path.parse_next(input)?;
    Ok(FieldText { column, path, as_text })
}

fn alias(input: &mut &str) -> ModalResult<String> {
    terminated(name, (':', not(':'))).parse_next(input)
}

fn select_items(input: &mut &str) -> ModalResult<Vec<SelectText>> {
    separated(0.., select_item, ',').parse_next(input)
}

fn select_item(input: &mut &str) -> ModalResult<SelectText> {
    alt(('*'.value(SelectText::Star), embed, aggregate, selected)).parse_next(input)
}

fn embed(input: &mut &str) -> ModalResult<SelectText> {
    let spread = opt("...").parse_next(input)?.is_some();
    let alias = opt(alias).parse_next(input)?;
    let name = name.parse_next(input)?;
    let hints = repeat(0.., preceded('!', self::name)).parse_next(input)?;
    // `count()` is an aggregate.
    let empty = matches!(name.as_str(), "count" | "sum" | "avg" | "min" | "max") && input.starts_with("()");
    if empty {
        return winnow::combinator::fail.parse_next(input);
    }
    let select = delimited('(', select_items, ')').parse_next(input)?;
    Ok(SelectText::Embed { alias, name, hints, spread, select })
}

fn aggregate(input: &mut &str) -> ModalResult<SelectText> {
    let alias = opt(alias).parse_next(input)?;
    let field = opt(terminated(field, '.')).parse_next(input)?;
    let function = terminated(alt(("count", "sum", "avg", "min", "max")), "()").parse_next(input)?;
    let cast = cast.parse_next(input)?;
    let field = field.unwrap_or(FieldText { column: String::new(), path: Vec::new(), as_text: false });
    Ok(SelectText::Field { alias, field, cast, aggregate: Some(function.to_owned()) })
}

fn cast(input: &mut &str) -> ModalResult<Option<String>> {
    opt(preceded("::", name)).parse_next(input)
}

fn selected(input: &mut &str) -> ModalResult<SelectText> {
    let alias = opt(alias).parse_next(input)?;
    let field = field.parse_next(input)?;
    let cast = cast.parse_next(input)?;
    Ok(SelectText::Field { alias, field, cast, aggregate: None })
}

pub(crate) fn select(text: &str) -> Result<Vec<SelectText>, Error> {
    whole("select parameter", text, select_items)
}

fn order_term(input: &mut &str) -> ModalResult<OrderText> {
    let field = field.parse_next(input)?;
    let word = alt(("asc", "desc", "nullsfirst", "nullslast")).context(expects("asc, desc, nullsfirst or nullslast"));
    let words = repeat(0..=2, preceded('.', word.map(str::to_owned))).parse_next(input)?;
    Ok(OrderText { field, words })
}

pub(crate) fn order(text: &str) -> Result<Vec<OrderText>, Error> {
    whole("order", text, separated(1.., order_term, ','))
}

/// `a,"b"`: the columns of a body.
pub(crate) fn names(text: &str) -> Result<Vec<String>, Error> {
    whole("columns parameter", text, separated(1.., name, ','))
}

/// The column of a filter: `settings->>mode`.
pub(crate) fn filtered(text: &str) -> Result<FieldText, Error> {
    whole("filter", text, field)
}

fn operator(input: &mut &str) -> ModalResult<(String, Option<String>)> {
    let word = take_while(1.., |character: char| character.is_ascii_lowercase());
    let modifier = delimited('(', take_while(1.., |character: char| character.is_alphanumeric() || character == '_'), ')');
    (word, opt(modifier)).map(|(word, modifier): (&str, Option<&str>)| (word.to_owned(), modifier.map(str::to_owned))).parse_next(input)
}

fn nots(input: &mut &str) -> ModalResult<bool> {
    let nots: Vec<&str> = repeat(0..=1, "not.").parse_next(input)?;
    Ok(nots.len() == 1)
}

/// `not.in.(a,b)`; none where the text isn't written like that.
pub(crate) fn test(text: &str) -> Option<TestText> {
    let parser = (nots, operator, preceded('.', rest));
    let mut parser = parser.map(|(negated, (operator, modifier), value)| TestText { negated, operator, modifier, value: value.to_owned() });
    parser.parse(text).ok()
}

/// What stands between brackets or braces, with commas between: `a`, `"b,c"`.
fn list_item(input: &mut &str) -> ModalResult<String> {
    let bare = take_while(0.., |character: char| !matches!(character, ',' | ')')).map(str::to_owned);
    // What only begins like quotes is as it stands.
    alt((terminated(quoted, peek(alt((',', ')')))), bare)).parse_next(input)
}

/// `(a,"b,c")`
pub(crate) fn list(text: &str) -> Result<Vec<String>, Error> {
    if text == "()" {
        return Ok(Vec::new());
    }
    whole("filter", text, delimited('(', separated(1.., list_item, ','), ')'))
}

/// `{a,"b,c"}`
pub(crate) fn array(text: &str) -> Result<Vec<String>, Error> {
    let bare =
        take_while(1.., |character: char| !matches!(character, ',' | '{' | '}' | '"' | '\\')).map(|text: &str| text.trim().to_owned());
    let element = alt((delimited(spaces, quoted, spaces), bare));
    whole("filter", text, delimited('{', separated(0.., element, ','), '}'))
}

fn spaces(input: &mut &str) -> ModalResult<()> {
    take_while(0.., ' ').void().parse_next(input)
}

/// Quotes around a whole value of a tree are no part of it.
fn tree_value(input: &mut &str) -> ModalResult<String> {
    let end = peek(alt((",".void(), ")".void(), eof.void())));
    let in_quotes = terminated(quoted, end);
    let bracketed = |open: char, close: char| {
        let piece = alt((quoted.void(), none_of([close, '"']).void()));
        (open, repeat::<_, _, (), _, _>(0.., piece), close).take()
    };
    let list = terminated(bracketed('(', ')'), peek(alt((",".void(), ")".void(), eof.void())))).map(str::to_owned);
    let braces = terminated(braces.take(), peek(alt((",".void(), ")".void(), eof.void())))).map(str::to_owned);
    let bare = take_while(0.., |character: char| !matches!(character, ',' | '(' | ')')).map(str::to_owned);
    alt((in_quotes, list, braces, bare)).parse_next(input)
}

/// An array or an object with whatever it has inside.
fn braces(input: &mut &str) -> ModalResult<()> {
    let piece = || alt((quoted.void(), braces, none_of(['{', '}', '[', ']', '"']).void()));
    let object = ('{', repeat::<_, _, (), _, _>(0.., piece()), '}').void();
    let array = ('[', repeat::<_, _, (), _, _>(0.., piece()), ']').void();
    alt((object, array)).parse_next(input)
}

fn branch(input: &mut &str) -> ModalResult<TreeText> {
    alt((group, leaf)).parse_next(input)
}

fn group(input: &mut &str) -> ModalResult<TreeText> {
    let negated = nots.parse_next(input)?;
    let any = alt(("or".value(true), "and".value(false))).parse_next(input)?;
    let branches = branches.parse_next(input)?;
    Ok(if any { TreeText::Any { negated, branches } } else { TreeText::All { negated, branches } })
}

fn branches(input: &mut &str) -> ModalResult<Vec<TreeText>> {
    delimited('(', separated(1.., preceded(spaces, branch), ','), ')').parse_next(input)
}

fn leaf(input: &mut &str) -> ModalResult<TreeText> {
    let field = terminated(field, '.').parse_next(input)?;
    let (negated, (operator, modifier)) = (nots, operator).parse_next(input)?;
    let value = preceded('.', tree_value).parse_next(input)?;
    Ok(TreeText::Test { field, test: TestText { negated, operator, modifier, value } })
}

/// `(a.eq.1,or(b.is.null,c.gt.2))`
pub(crate) fn tree(text: &str) -> Result<Vec<TreeText>, Error> {
    whole("logic tree", text, branches)
}
