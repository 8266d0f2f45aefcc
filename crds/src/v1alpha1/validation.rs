//! What the API server itself checks of Reeve's objects beyond their structure, as CEL rules of the schema, and what it says.
//!
//! All of them stand here so that they can be read together; the types name the ones that are theirs. They hold in the API
//! server even while nothing of Reeve runs. The words are those of the compiler in `reeve-policy`, which checks the same of
//! files, and everything that a schema cannot say. A rule has to be cheap: the API server multiplies its estimated cost by the
//! most objects that the schema permits, and refuses the whole definition if that is too much.

use kube::core::Rule;

/// A rule of the schema.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check {
    /// The field that a violation is reported at, relative to the object that has the rule; empty: the object itself.
    field: &'static str,
    /// What must be true.
    expression: &'static str,
    /// What the user reads if it is not.
    message: &'static str,
}

impl From<Check> for Rule {
    fn from(check: Check) -> Self {
        let rule = Self::new(check.expression).message(check.message);
        if check.field.is_empty() { rule } else { rule.field_path(check.field) }
    }
}

/// A rule that selects no call.
pub(super) const RULE_SELECTS: Check = Check {
    field: "",
    expression: "(has(self.tools) && size(self.tools) > 0) || (has(self.resources) && size(self.resources) > 0) || \
                 (has(self.prompts) && size(self.prompts) > 0)",
    message: "the rule selects nothing: name tools, resources or prompts (`*` for every tool)",
};

pub(super) const RISK_NEEDS_TOOLS: Check = Check {
    field: ".risk",
    expression: "!has(self.risk) || (has(self.tools) && size(self.tools) > 0)",
    message: "risk narrows `tools`, and the rule names none: add tools: [\"*\"]",
};

pub(super) const ARGUMENTS_NEED_TOOLS: Check = Check {
    field: ".validateArguments",
    expression: "!has(self.validateArguments) || !self.validateArguments || (has(self.tools) && size(self.tools) > 0)",
    message: "only the arguments of tools have a schema, and the rule names none: remove it, or add tools",
};

pub(super) const DENY_WITHOUT_LIMITS: Check = Check {
    field: ".limits",
    expression: "self.action != 'Deny' || !has(self.limits) || size(self.limits) == 0",
    message: "a Deny rule refuses every call to which it applies, so `limits` means nothing: remove it, or use `when`",
};

pub(super) const DENY_WITHOUT_REQUIRE: Check = Check {
    field: ".require",
    expression: "self.action != 'Deny' || !has(self.require) || size(self.require) == 0",
    message: "a Deny rule refuses every call to which it applies, so `require` means nothing: remove it, or use `when`",
};

pub(super) const DENY_WITHOUT_CONCURRENCY: Check = Check {
    field: ".concurrency",
    expression: "self.action != 'Deny' || !has(self.concurrency)",
    message: "a Deny rule refuses every call to which it applies, so `concurrency` means nothing: remove it, or use `when`",
};

pub(super) const DENY_WITHOUT_ARGUMENTS: Check = Check {
    field: ".validateArguments",
    expression: "self.action != 'Deny' || !has(self.validateArguments) || !self.validateArguments",
    message: "a Deny rule refuses every call to which it applies, so `validateArguments` means nothing: remove it, or use `when`",
};

pub(super) const DENY_WITHOUT_APPROVAL: Check = Check {
    field: ".approval",
    expression: "self.action != 'Deny' || !has(self.approval)",
    message: "a Deny rule refuses every call to which it applies, so `approval` means nothing: remove it, or use `when`",
};

pub(super) const APPROVAL_IS_ASKED_FOR: Check = Check {
    field: ".approval",
    expression: "!has(self.approval) || self.action == 'RequireApproval' || self.action == 'Deny'",
    message: "only a rule with action: RequireApproval asks for approval",
};

pub(super) const KEY_IS_GIVEN: Check = Check {
    field: ".key",
    expression: "!has(self.scope) || self.scope != 'Key' || has(self.key)",
    message: "scope: Key needs a `key`: an expression whose values are counted apart",
};

pub(super) const KEY_HAS_ITS_SCOPE: Check = Check {
    field: ".key",
    expression: "!has(self.key) || (has(self.scope) && self.scope == 'Key')",
    message: "`key` means something only with scope: Key: add it, or remove the key",
};

/// A policy in Audit cannot enforce one of its rules.
pub(super) const AUDIT_ENFORCES_NO_RULE: Check = Check {
    field: ".rules",
    expression: "!has(self.mode) || self.mode != 'Audit' || !has(self.rules) || \
                 self.rules.all(rule, !has(rule.mode) || rule.mode != 'Enforce')",
    message: "the policy is in mode Audit, so no rule of it can be enforced: remove this, or move the rule to a policy of its own",
};

pub(super) const VALUES_ARE_GIVEN: Check = Check {
    field: ".values",
    expression: "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
    message: "In and NotIn need at least one value",
};

pub(super) const EXISTENCE_TAKES_NO_VALUES: Check = Check {
    field: ".values",
    expression: "self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
    message: "Exists and DoesNotExist take no values",
};

/// An entry that no pod can have would select nobody, and the policy would bind nobody.
pub(super) const ACCOUNTS_OF_THE_NAMESPACE: Check = Check {
    field: ".serviceAccounts",
    expression: "!has(self.serviceAccounts) || \
                 self.serviceAccounts.all(account, account.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$'))",
    message: "a ServiceAccount of this namespace is named without the namespace, in lower-case letters, digits, `-` and `.`",
};

pub(super) const ACCOUNTS_WITH_NAMESPACES: Check = Check {
    field: ".serviceAccounts",
    expression: "!has(self.serviceAccounts) || self.serviceAccounts.all(account, \
                 account.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$'))",
    message: "a ServiceAccount is written namespace/name, in lower-case letters, digits, `-` and `.`",
};

pub(super) const SERVER_CAN_BE: Check = Check {
    field: ".name",
    expression: "self.name == '*' || self.name.matches('^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$')",
    message: "an McpServer's name has lower-case letters, digits, `-` and `.`; `*` alone is every server of the namespace",
};

pub(super) const BOUNDARY_CANNOT_GRANT: Check = Check {
    field: ".default",
    expression: "self.tier != 'Boundary' || !has(self.default) || self.default != 'Allow'",
    message: "a Boundary cannot grant: write Pass or Deny",
};

pub(super) const BASELINE_DECIDES: Check = Check {
    field: ".default",
    expression: "self.tier != 'Baseline' || !has(self.default) || self.default != 'Pass'",
    message: "a Baseline decides calls and cannot pass them on: write Deny or Allow",
};

pub(super) const AGE_IS_A_BOUND: Check = Check {
    field: ".configMaxAge",
    expression: "self.tier == 'Boundary' || !has(self.configMaxAge)",
    message: "only a Boundary may say how old a configuration may be",
};

/// The server's name is a path of the sidecar's listener and part of an environment variable's name.
pub(super) const SERVER_NAME_IS_SHORT: Check = Check {
    field: ".metadata.name",
    expression: "size(self.metadata.name) <= 63",
    message: "a server's name may have at most 63 characters: agents find it at the path /NAME",
};

pub(super) const CREDENTIALS_NEED_TLS: Check = Check {
    field: ".credentials",
    expression: "!has(self.credentials) || self.url.startsWith('https://')",
    message: "a credential is sent over TLS only, and the url is not https: change the url, or remove the credentials",
};

pub(super) const TLS_NEEDS_HTTPS: Check = Check {
    field: ".tls",
    expression: "!has(self.tls) || self.url.startsWith('https://')",
    message: "tls has no effect on a url that is not https: change the url, or remove tls",
};
