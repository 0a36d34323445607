//! Whether a document costs no more than its size says. HTML's rules repair what is wrong by copying elements: a few kilobytes can make
//! millions of nodes. So the document is parsed once into nothing, a little at a time, and given up where it goes too far.

use std::{borrow::Cow, cell::Cell, rc::Rc, time::Duration};

use html5ever::{
    Attribute, ParseOpts, QualName,
    driver::parse_fragment,
    interface::{ElemName, ElementFlags, NodeOrText, QuirksMode, TreeSink},
    local_name, ns,
    tendril::{StrTendril, TendrilSink as _},
};
use rustix::time::{ClockId, clock_gettime};

const NODES_MAX: u32 = 100_000;
const DEPTH_MAX: u32 = 400;
/// Of this thread: a busy machine makes no document worse.
const CPU_MAX: Duration = Duration::from_secs(1);
/// Bytes that are parsed between two looks.
const STEP: usize = 1024;

pub(super) fn is_bearable(html: &str) -> bool {
    let began = used();
    let sink = Count::default();
    let (nodes, depth) = (Rc::clone(&sink.nodes), Rc::clone(&sink.depth));
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let mut parser = parse_fragment(sink, ParseOpts::default(), context, Vec::new(), false);
    let mut rest = html;
    while !rest.is_empty() {
        let (step, later) = rest.split_at(rest.floor_char_boundary(STEP));
        parser.process(StrTendril::from_slice(step));
        rest = later;
        if nodes.get() > NODES_MAX || depth.get() > DEPTH_MAX || used().saturating_sub(began) > CPU_MAX {
            return false;
        }
    }
    parser.finish();
    nodes.get() <= NODES_MAX && depth.get() <= DEPTH_MAX
}

fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// A tree of which nothing is kept but what the parser asks for.
#[derive(Default)]
struct Count {
    nodes: Rc<Cell<u32>>,
    depth: Rc<Cell<u32>>,
}

struct Node {
    name: QualName,
    depth: Cell<u32>,
    is_integration_point: bool,
}

impl Count {
    fn make(&self, name: QualName, is_integration_point: bool) -> Rc<Node> {
        self.nodes.set(self.nodes.get().saturating_add(1));
        Rc::new(Node { name, depth: Cell::new(0), is_integration_point })
    }

    fn nameless(&self) -> Rc<Node> {
        self.make(QualName::new(None, ns!(), local_name!("")), false)
    }

    fn place(&self, parent: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        match child {
            NodeOrText::AppendNode(node) => {
                node.depth.set(parent.depth.get().saturating_add(1));
                self.depth.set(self.depth.get().max(node.depth.get()));
            }
            NodeOrText::AppendText(_) => self.nodes.set(self.nodes.get().saturating_add(1)),
        }
    }
}

/// The name of an element, which the element holds.
#[derive(Debug)]
struct Name<'a>(&'a QualName);

impl ElemName for Name<'_> {
    fn ns(&self) -> &html5ever::Namespace {
        &self.0.ns
    }

    fn local_name(&self) -> &html5ever::LocalName {
        &self.0.local
    }
}

impl TreeSink for Count {
    type Handle = Rc<Node>;
    type Output = ();
    type ElemName<'a> = Name<'a>;

    fn finish(self) {}

    fn get_document(&self) -> Rc<Node> {
        self.nameless()
    }

    fn elem_name<'a>(&'a self, target: &'a Rc<Node>) -> Name<'a> {
        Name(&target.name)
    }

    fn create_element(&self, name: QualName, _: Vec<Attribute>, flags: ElementFlags) -> Rc<Node> {
        self.make(name, flags.mathml_annotation_xml_integration_point)
    }

    fn create_comment(&self, _: StrTendril) -> Rc<Node> {
        self.nameless()
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> Rc<Node> {
        self.nameless()
    }

    fn append(&self, parent: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.place(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &Rc<Node>, _: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.place(element, child);
    }

    fn append_before_sibling(&self, sibling: &Rc<Node>, child: NodeOrText<Rc<Node>>) {
        self.place(sibling, child);
    }

    fn get_template_contents(&self, target: &Rc<Node>) -> Rc<Node> {
        Rc::clone(target)
    }

    fn same_node(&self, one: &Rc<Node>, other: &Rc<Node>) -> bool {
        Rc::ptr_eq(one, other)
    }

    fn is_mathml_annotation_xml_integration_point(&self, node: &Rc<Node>) -> bool {
        node.is_integration_point
    }

    fn parse_error(&self, _: Cow<'static, str>) {}
    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn set_quirks_mode(&self, _: QuirksMode) {}
    fn add_attrs_if_missing(&self, _: &Rc<Node>, _: Vec<Attribute>) {}
    fn remove_from_parent(&self, _: &Rc<Node>) {}
    fn reparent_children(&self, _: &Rc<Node>, _: &Rc<Node>) {}
}
