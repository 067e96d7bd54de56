//! Functions that call themselves.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Block;

/// The asynchronous call of a function, as its own body writes it.
pub(crate) struct OwnCall {
    /// Alternatives for the code before the name.
    pub(crate) before: Vec<String>,
    /// The name, with what follows it.
    pub(crate) call: String,
}

impl OwnCall {
    /// Returns the call of the function `name`: `name::asynq`.
    pub(crate) fn of_function(name: &str) -> Self {
        Self { before: Vec::new(), call: format!("{name}::asynq") }
    }

    /// Returns the call of the method `name` of the type `owner`: `self.name_asynq`.
    pub(crate) fn of_method(owner: &str, name: &str) -> Self {
        let before = ["self.".to_owned(), "Self::".to_owned(), format!("{owner}::")].into();
        Self { before, call: format!("{name}_asynq") }
    }

    /// Returns whether `body` awaits this call. The future of the body would then contain itself, unless the body
    /// makes a task of the call (`f::asynq(a).task()`) or pins it in a box.
    pub(crate) fn is_awaited_in(&self, body: &Block) -> bool {
        self.is_in(body.to_token_stream(), false)
    }

    fn is_in(&self, tokens: TokenStream, is_boxed: bool) -> bool {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        // The code before the group, up to the first token that is neither a name nor a mark.
        let mut code = String::new();
        for (index, token) in tokens.iter().enumerate() {
            let TokenTree::Group(group) = token else {
                code.push_str(&token.to_string());
                if let TokenTree::Ident(_) = token
                    && let Some(TokenTree::Ident(_)) = tokens.get(index + 1)
                {
                    code.push(' ');
                }
                continue;
            };
            let is_call = group.delimiter() == Delimiter::Parenthesis;
            if is_call && self.ends(&code) && !is_boxed && !is_made_a_task(&tokens[index + 1..]) {
                return true;
            }
            let pins = code.ends_with("Box::pin");
            if self.is_in(group.stream(), is_call && pins) {
                return true;
            }
            code.clear();
        }
        // Passed as a value: `map(f::asynq)`. There, a task is made of each call.
        false
    }

    /// Returns whether `code` ends with the call, which may have generic arguments.
    fn ends(&self, code: &str) -> bool {
        let code = match code.rfind("::<") {
            Some(generics) if code.ends_with('>') => &code[..generics],
            _ => code,
        };
        let Some(before) = code.strip_suffix(self.call.as_str()) else { return false };
        if self.before.is_empty() {
            let is_part = |last: char| last == ':' || last == '_' || last.is_alphanumeric();
            return !before.ends_with(is_part);
        }
        self.before.iter().any(|own| before.ends_with(own.as_str()))
    }
}

fn is_made_a_task(after: &[TokenTree]) -> bool {
    let [TokenTree::Punct(dot), TokenTree::Ident(method), ..] = after else { return false };
    dot.as_char() == '.' && method == "task"
}
