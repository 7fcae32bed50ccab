// Reads {"tables": {name: "schema"}, "queries": {name: text}} from standard input and prints
// {name: {"problems": [sentence], "fields": [name read from Fields]}} for each query.
"use strict";

// Both files of the package define globals and expect to find each other there.
require("@kusto/language-service-next/bridge.min.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.min.js");

const { KustoCode, GlobalState } = Kusto.Language;
const { DatabaseSymbol, TableSymbol } = Kusto.Language.Symbols;
const { PathExpression } = Kusto.Language.Syntax;

function list(collection) {
  const items = [];
  for (let i = 0; i < collection.Count; i += 1) items.push(collection.getItem(i));
  return items;
}

function fieldsOf(code) {
  const names = new Set();
  const visit = (node) => {
    if (node instanceof PathExpression && node.Expression.toString(0).trim() === "Fields") {
      names.add(node.Selector.toString(0).trim());
    }
    for (let i = 0; i < node.ChildCount; i += 1) {
      const child = node.GetChild(i);
      if (child) visit(child);
    }
  };
  visit(code.Syntax);
  return [...names].sort();
}

let input = "";
process.stdin.on("data", (chunk) => { input += chunk; });
process.stdin.on("end", () => {
  const { tables, queries } = JSON.parse(input);
  const symbols = Object.entries(tables).map(([name, schema]) => new TableSymbol.$ctor7(name, schema, ""));
  const globals = GlobalState.Default.WithDatabase(new DatabaseSymbol.$ctor1("workspace", symbols, false));
  const answer = {};
  for (const [name, text] of Object.entries(queries)) {
    const code = KustoCode.ParseAndAnalyze(text, globals);
    const problems = list(code.GetDiagnostics()).map((d) => `${d.Severity} at ${d.Start}: ${d.Message}`);
    answer[name] = { problems, fields: fieldsOf(code) };
  }
  process.stdout.write(JSON.stringify(answer));
});
