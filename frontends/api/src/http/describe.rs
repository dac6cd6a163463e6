//! From a table of endpoints to the description of a dialect.

use super::{Endpoint, HttpDialect};
use crate::schema::{Description, Row};

impl Description {
    /// Adds an HTTP dialect's table of endpoints.
    #[must_use]
    pub fn with_endpoints<D: HttpDialect>(mut self, dialect: &D) -> Self {
        let about = dialect.about();
        self.about = about.text;
        self.fault = Some(about.fault);
        self.schemes = about.schemes;
        let row = |endpoint: &Endpoint<D>| Row {
            name: endpoint.name,
            path: endpoint.path,
            methods: endpoint.methods,
            operation: (endpoint.describe)(dialect),
        };
        self.rows = dialect.endpoints().iter().map(row).collect();
        self
    }
}
