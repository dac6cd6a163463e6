//! `schemas/admin/export.json`: a line of an export.

use core_model::ExportRecord;
use frontend_api::schema::{self, Document, Shape};

pub fn export_schema() -> Document {
    let shape = Shape::of::<ExportRecord>();
    schema::read("admin:export", "export.json", "A line of an export", &shape)
}
