//! Builds pages. All text is escaped, but for what `raw` takes.

use std::borrow::Cow;

/// The file of Redoc, below /api/.
pub(super) const REDOC_NAME: &str = "redoc-3.0.1.js";

/// A page being written.
pub(crate) struct Html(String);

impl Html {
    pub(crate) fn new(title: &str) -> Self {
        let title = escaped(title);
        let mut page = Self(String::new());
        page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.raw("<meta name=\"viewport\" content=\"width=device-width\">\n");
        page.raw("<link rel=\"icon\" href=\"data:,\">\n");
        page.raw(&format!("<title>{title}</title>\n"));
        page
    }

    /// A page with the common style and a heading.
    pub(crate) fn plain(title: &str) -> Self {
        let mut page = Self::new(title);
        page.raw("<link rel=\"stylesheet\" href=\"/api/api.css\">\n</head>\n<body>\n");
        page.element("h1", title);
        page
    }

    pub(crate) fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    pub(crate) fn element(&mut self, tag: &str, text: &str) {
        self.raw(&format!("<{tag}>{}</{tag}>\n", escaped(text)));
    }

    /// A heading with an anchor.
    pub(crate) fn heading(&mut self, name: &str) {
        let name = escaped(name);
        self.raw(&format!("<h2 id=\"{name}\">{name}</h2>\n"));
    }

    /// The lines of a text as paragraphs.
    pub(crate) fn paragraphs(&mut self, text: &str) {
        text.split('\n').filter(|line| !line.is_empty()).for_each(|line| self.element("p", line));
    }

    /// A table of cells that are escaped already.
    pub(crate) fn table<const N: usize>(&mut self, heads: [&str; N], rows: Vec<[String; N]>) {
        if rows.is_empty() {
            return;
        }
        self.raw("<table>\n<tr>");
        heads.iter().for_each(|head| self.raw(&format!("<th>{head}</th>")));
        self.raw("</tr>\n");
        for row in rows {
            self.raw("<tr>");
            row.iter().for_each(|cell| self.raw(&format!("<td>{cell}</td>")));
            self.raw("</tr>\n");
        }
        self.raw("</table>\n");
    }

    pub(crate) fn whole(mut self) -> String {
        self.raw("</body>\n</html>\n");
        self.0
    }
}

/// A page on which Redoc shows a document that is beside it.
pub(crate) fn redoc(title: &str, document: &str) -> Html {
    let mut page = Html::new(title);
    let document = escaped(document);
    page.raw("</head>\n<body>\n");
    page.raw(&format!("<redoc spec-url=\"{document}\" disable-telemetry=\"true\"></redoc>\n"));
    page.raw(&format!("<script type=\"module\" src=\"/api/{REDOC_NAME}\"></script>\n"));
    page
}

pub(crate) fn link(to: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escaped(to), escaped(text))
}

pub(crate) fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// As text or between double quotes.
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"']) {
        return text.into();
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").into()
}
