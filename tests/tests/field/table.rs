//! The table of `docs/internals/field-failures.md`: the end of each scenario.

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub scenario: String,
    /// The public report or the rule that the scenario shows.
    pub seen_in: String,
    /// The release that `prod` is at the end, with tagwarden.
    pub ours: String,
    skopeo: String,
    crane: String,
}

impl Row {
    /// The release that `prod` is at the end, with this program.
    pub fn end_of(&self, program: &str) -> &str {
        match program {
            "skopeo" => &self.skopeo,
            "crane" => &self.crane,
            other => panic!("the table has no column for {other}"),
        }
    }
}

/// The rows, in their order.
pub fn rows() -> Vec<Row> {
    let file = tagwarden_tests::file("../docs/internals/field-failures.md");
    let text = std::fs::read_to_string(file).unwrap();
    let table = text.split("\n## The suite\n").nth(1).expect("the section").split("\n## ").next().unwrap();
    let cells = |line: &str| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = table.lines().filter(|line| line.starts_with("| `")).map(cells);
    rows.map(|cells| {
        let [scenario, _, seen_in, ours, skopeo, crane] = cells.as_slice() else { panic!("{cells:?}") };
        let (ours, skopeo, crane) = (end(ours), end(skopeo), end(crane));
        Row { scenario: scenario.trim_matches('`').to_owned(), seen_in: seen_in.clone(), ours, skopeo, crane }
    })
    .collect()
}

/// The end in a cell: what it says in bold.
fn end(cell: &str) -> String {
    cell.split("**").nth(1).unwrap_or_else(|| panic!("{cell:?} says no end in bold")).to_owned()
}

/// The row of a scenario.
pub fn row(scenario: &str) -> Row {
    let found = rows().into_iter().find(|row| row.scenario == scenario);
    found.unwrap_or_else(|| panic!("docs/internals/field-failures.md has no row for {scenario}"))
}
