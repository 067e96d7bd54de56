//! Contexts: which are active, and whose they are.

use super::{Context, Model};
use crate::sim::ContextRef;

impl Model<'_> {
    /// One pause or resume on the way to what is active in `scope`; false if nothing differs.
    pub(super) fn switch(&mut self, scope: Option<usize>) -> bool {
        let chain = self.chain(scope);
        let innermost_active = chain.iter().rev().find(|context| self.active.contains(context));
        // Everything below a context that stays active stays active.
        let stays = |context: &usize| Some(context) == innermost_active;
        let keep = self.active.iter().rposition(stays).map_or(0, |place| place + 1);
        if self.active.len() > keep {
            let context = self.active.pop().expect("more than none");
            if let Err(error) = self.pause(context) {
                self.fail(context, error);
            }
            return true;
        }
        let below = innermost_active
            .map_or(0, |active| 1 + chain.iter().position(|context| context == active).unwrap());
        let Some(&context) = chain[below..].first() else { return false };
        self.active.push(context);
        if let Err(error) = self.resume(context) {
            self.fail(context, error);
        }
        true
    }

    /// The contexts around `scope` that were not left, the outermost first.
    fn chain(&self, scope: Option<usize>) -> Vec<usize> {
        let Some(context) = scope else { return Vec::new() };
        let mut chain = self.chain(self.contexts[context].parent);
        if !self.contexts[context].left {
            chain.push(context);
        }
        chain
    }

    /// Every context around `scope`, the outermost first.
    pub(super) fn path(&self, scope: Option<usize>) -> Vec<usize> {
        let Some(context) = scope else { return Vec::new() };
        let mut path = self.path(self.contexts[context].parent);
        path.push(context);
        path
    }

    /// A task has ended: it leaves what it has entered.
    pub(super) fn leave_all(&mut self, owner: usize) {
        for context in self.contexts.iter_mut().filter(|context| context.owner == owner) {
            context.left = true;
        }
    }

    /// The running task enters a context. Fails if its first resume does.
    pub(super) fn enter(&mut self, owner: usize, spec: ContextRef) -> Result<(), String> {
        let context = self.contexts.len();
        let parent = self.tasks[owner].scope;
        self.contexts.push(Context { spec, owner, parent, left: false, pauses: 0, resumes: 0 });
        self.tasks[owner].scope = Some(context);
        self.active.push(context);
        self.resume(context).inspect_err(|_| self.take_out(context))
    }

    /// Leaves the latest instance of `spec`. Fails if its last pause does.
    pub(super) fn leave(&mut self, spec: ContextRef) -> Result<(), String> {
        let entered = |context: &Context| context.spec == spec && !context.left;
        let Some(context) = self.contexts.iter().rposition(entered) else { return Ok(()) };
        let was_active = self.active.contains(&context);
        self.take_out(context);
        if was_active { self.pause(context) } else { Ok(()) }
    }

    fn take_out(&mut self, context: usize) {
        let Context { owner, parent, .. } = self.contexts[context];
        self.contexts[context].left = true;
        self.active.retain(|&active| active != context);
        if self.tasks[owner].scope == Some(context) {
            self.tasks[owner].scope = parent;
        }
    }

    /// A switch of `context` failed: so does the task that entered it, if it has not ended.
    fn fail(&mut self, context: usize, error: String) {
        if self.contexts[context].left {
            return;
        }
        self.take_out(context);
        let owner = self.contexts[context].owner;
        self.tasks[owner].error.get_or_insert(error);
        self.interrupt(owner);
    }

    fn pause(&mut self, context: usize) -> Result<(), String> {
        let Context { spec, pauses, .. } = &mut self.contexts[context];
        *pauses += 1;
        let spec = &self.program.contexts[spec.0];
        if spec.failing_pause == Some(*pauses) {
            self.say(&format!("{} fails to pause", spec.name));
            return Err(format!("{} did not pause", spec.name));
        }
        self.say(&format!("{} pauses", spec.name));
        Ok(())
    }

    fn resume(&mut self, context: usize) -> Result<(), String> {
        let Context { spec, resumes, .. } = &mut self.contexts[context];
        *resumes += 1;
        let spec = &self.program.contexts[spec.0];
        if spec.failing_resume == Some(*resumes) {
            self.say(&format!("{} fails to resume", spec.name));
            return Err(format!("{} did not resume", spec.name));
        }
        self.say(&format!("{} resumes", spec.name));
        Ok(())
    }

    /// The names of the active contexts, the outermost first.
    pub(super) fn active_names(&self) -> Vec<String> {
        let name = |&context: &usize| {
            let spec = self.contexts[context].spec;
            self.program.contexts[spec.0].name.clone()
        };
        self.active.iter().map(name).collect()
    }
}
