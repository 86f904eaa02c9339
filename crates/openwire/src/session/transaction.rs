//! TransactionInfo: local transactions, and branches of distributed ones.

use super::confirm::{Confirmation, Purpose, Reply};
use super::error::{Class, PeerError};
use super::{Context, Done, State};
use crate::codec::Command;
use crate::codec::ids::ObjectId;
use crate::codec::response::{DataArrayResponse, IntegerResponse};
use crate::codec::transaction::{
    LocalTransactionId, TransactionId as WireTransactionId, TransactionInfo, XaTransactionId,
};
use crate::mapping;
use ferrymq_model::event::Vote;
use ferrymq_model::{BranchAction, BranchError, Closing, Refusal, RefusalKind, Request, Token, TransactionId, Xid};
use std::collections::HashMap;
use std::sync::Arc;

/// `XAResource.XA_OK`.
const XA_OK: i32 = 0;
/// `XAResource.XA_RDONLY`.
const XA_READ_ONLY: i32 = 3;

/// `type` of a TransactionInfo.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Begin,
    Prepare,
    CommitOnePhase,
    CommitTwoPhase,
    Rollback,
    Recover,
    Forget,
    End,
}

impl Kind {
    fn of(code: i8) -> Result<Self, PeerError> {
        Ok(match code {
            0 => Self::Begin,
            1 => Self::Prepare,
            2 => Self::CommitOnePhase,
            3 => Self::CommitTwoPhase,
            4 => Self::Rollback,
            5 => Self::Recover,
            6 => Self::Forget,
            7 => Self::End,
            _ => return Err(PeerError::jms(format!("Unknown transaction info type: {code}"))),
        })
    }
}

/// Why a transaction is rolled back that lost its acknowledgements to a failure.
const UNACKNOWLEDGED: &str = "what was delivered in it before a failure is not acknowledged in it";

/// An open local transaction.
#[derive(Debug)]
struct Local {
    id: TransactionId,
    /// Something of it failed that nobody waited for: it may not be committed.
    doomed: Option<String>,
}

/// A branch that this connection works on, or worked on.
#[derive(Debug)]
struct Branch {
    /// One for each time that work began; the last is open while anybody works.
    ids: Vec<TransactionId>,
    /// Parts of the client that work on it now: JMS sessions of one connection may share a branch.
    workers: usize,
    doomed: Option<String>,
}

/// Begins of one branch by one connection. Count; each is a join of the transaction manager's.
const BEGINS_PER_BRANCH_MAX: usize = 1000;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    local: HashMap<i64, Local>,
    /// Used last: mostly the next one, too.
    last: Option<(i64, TransactionId)>,
    branches: HashMap<XaTransactionId, Branch>,
    next: u64,
    /// Of the present client.
    first: u64,
}

impl Transactions {
    fn next_id(&mut self) -> TransactionId {
        let id = TransactionId(self.next);
        self.next += 1;
        id
    }

    fn len(&self) -> usize {
        self.local.len() + self.branches.len()
    }

    /// Forgets all of them. Their numbers do not come again: the broker may still speak of one.
    pub(super) fn forget(&mut self) {
        *self = Self { next: self.next, first: self.next, ..Self::default() };
    }

    pub(super) fn is_any_open(&self) -> bool {
        self.len() > 0
    }

    /// Whether one was begun since the client is connected.
    pub(super) fn is_used(&self) -> bool {
        self.next > self.first
    }

    /// The transaction that a message or an acknowledgement names. Whose connection it names makes no difference: the
    /// number is looked up in this one's.
    #[inline]
    pub(super) fn of(&mut self, id: &WireTransactionId) -> Result<TransactionId, PeerError> {
        match id {
            WireTransactionId::Local(id) => match self.last {
                Some((value, transaction)) if value == id.value => Ok(transaction),
                Some(_) | None => {
                    let found = self.local.get(&id.value).ok_or_else(|| not_started_local(id))?;
                    self.last = Some((id.value, found.id));
                    Ok(found.id)
                }
            },
            WireTransactionId::Xa(id) => match self.branches.get(id) {
                Some(Branch { ids, workers: 1.., .. }) => ids.last().copied().ok_or_else(|| not_started_branch(id)),
                Some(_) | None => Err(not_started_branch(id)),
            },
        }
    }

    /// One part of the client ends its work; whether others go on.
    fn is_still_worked_on(&mut self, id: &XaTransactionId) -> bool {
        self.branches.get_mut(id).is_some_and(|branch| {
            branch.workers = branch.workers.saturating_sub(1);
            branch.workers > 0
        })
    }

    /// Forgets work that is over, and a branch with its last work.
    fn remove_work(&mut self, transaction: TransactionId) {
        self.branches.retain(|_, branch| {
            let Some(place) = branch.ids.iter().position(|id| *id == transaction) else { return true };
            branch.ids.remove(place);
            if place == branch.ids.len() {
                branch.workers = 0;
            }
            !branch.ids.is_empty()
        });
    }

    /// Something failed here that nobody waited for: its transaction may not be committed. What the broker refuses it knows
    /// itself.
    pub(super) fn doom(&mut self, id: &WireTransactionId, text: &str) {
        let doomed = match id {
            WireTransactionId::Local(id) => self.local.get_mut(&id.value).map(|local| &mut local.doomed),
            WireTransactionId::Xa(id) => self.branches.get_mut(id).map(|branch| &mut branch.doomed),
        };
        if let Some(doomed) = doomed {
            doomed.get_or_insert_with(|| text.to_owned());
        }
    }

    fn remove_local(&mut self, id: &LocalTransactionId) -> Option<Local> {
        self.last = None;
        self.local.remove(&id.value)
    }
}

impl State {
    pub(super) fn transaction(
        &mut self,
        cx: &mut Context<'_>,
        info: &TransactionInfo,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        self.check_said("TransactionInfo", info.connection_id.as_ref())?;
        let kind = Kind::of(info.kind)?;
        if kind == Kind::Recover {
            let token = self.confirm(reply, Purpose::Recover)?;
            cx.requests.push(Request::Recover { token });
            return Ok(Done::Later);
        }
        match &info.transaction_id {
            None => Err(PeerError::missing("TransactionInfo", "a transaction id")),
            Some(WireTransactionId::Local(id)) => {
                let owner = id.connection_id.as_ref();
                let owner = owner.ok_or_else(|| PeerError::missing("a transaction id", "a connection id"))?;
                self.check_connection(&owner.value)?;
                self.local_transaction(cx, id, kind, info.command_id, reply)
            }
            Some(WireTransactionId::Xa(id)) => self.branch(cx, id, kind, info.command_id, reply),
        }
    }

    fn local_transaction(
        &mut self,
        cx: &mut Context<'_>,
        id: &LocalTransactionId,
        kind: Kind,
        number: i32,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        match kind {
            Kind::Begin => self.begin(cx, id, number, reply),
            Kind::CommitOnePhase | Kind::CommitTwoPhase => self.commit(cx, id, number, reply),
            Kind::Rollback => {
                let confirm = self.confirm_if_asked(reply)?;
                let Some(local) = self.transactions.remove_local(id) else {
                    return Err(not_started_local(id));
                };
                self.restored.forget(local.id);
                self.consumers.release_held(local.id);
                cx.requests.push(Request::Rollback { transaction: local.id, confirm });
                Ok(Done::Later)
            }
            // The client says it where it is done with a transaction, which the commit tells anyway.
            Kind::End => Ok(Done::Now),
            Kind::Prepare | Kind::Recover | Kind::Forget => {
                Err(PeerError::state(format!("a local transaction cannot be prepared or forgotten: {}", text_of(id))))
            }
        }
    }

    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        id: &LocalTransactionId,
        number: i32,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        // Said again, as after a failure: it is there.
        if self.transactions.local.contains_key(&id.value) {
            return Ok(Done::Now);
        }
        self.check_transactions()?;
        let confirm = self.confirm_if_asked(reply)?;
        let transaction = self.transactions.next_id();
        self.transactions.local.insert(id.value, Local { id: transaction, doomed: None });
        self.restored.began(transaction, number);
        let name = Some(Arc::from(mapping::local_transaction_text(id)));
        cx.requests.push(Request::Begin { transaction, name, confirm });
        Ok(Done::Later)
    }

    fn check_transactions(&self) -> Result<(), PeerError> {
        let max = self.options.limits.transactions_max;
        if self.transactions.len() >= max {
            return Err(PeerError::limit(format!("more than {max} transactions of the connection are open")));
        }
        Ok(())
    }

    fn commit(
        &mut self,
        cx: &mut Context<'_>,
        id: &LocalTransactionId,
        number: i32,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let Some(mut local) = self.transactions.remove_local(id) else {
            // Its client lost the answer, or never began it.
            let name = mapping::local_transaction_text(id);
            let confirm = self.confirm(reply, Purpose::WasCommitted(name.as_str().into()))?;
            cx.requests.push(Request::WasCommitted { name: Arc::from(name), confirm });
            return Ok(Done::Later);
        };
        let transaction = local.id;
        if self.restored.end(transaction, number) {
            local.doomed.get_or_insert_with(|| UNACKNOWLEDGED.to_owned());
        }
        if let Some(cause) = local.doomed {
            self.consumers.release_held(transaction);
            cx.requests.push(Request::Rollback { transaction, confirm: None });
            let text = format!("Transaction '{}' has been rolled back: {cause}", text_of(id));
            return Err(PeerError::new(Class::TransactionRolledBack, text));
        }
        // Asked for in any case: a refused commit must make the acknowledgements in it possible again.
        let confirm = Some(self.confirm(reply, Purpose::Commit(transaction))?);
        cx.requests.push(Request::Commit { transaction, confirm });
        Ok(Done::Later)
    }

    fn branch(
        &mut self,
        cx: &mut Context<'_>,
        id: &XaTransactionId,
        kind: Kind,
        number: i32,
        reply: Reply,
    ) -> Result<Done, PeerError> {
        let xid = Arc::new(mapping::xid(id).map_err(|error| PeerError::xa(BranchError::Failed, &error.to_string()))?);
        let action = match kind {
            Kind::Begin => {
                let Some(transaction) = self.begin_branch(id, number)? else {
                    return Ok(Done::Now);
                };
                if self.said_again.is_begun_again(id) {
                    BranchAction::Resume(transaction)
                } else {
                    BranchAction::Start(transaction)
                }
            }
            Kind::End => {
                if self.transactions.is_still_worked_on(id) {
                    return Ok(Done::Now);
                }
                BranchAction::End
            }
            Kind::Prepare | Kind::CommitOnePhase => {
                if let Some(branch) = self.transactions.branches.get_mut(id) {
                    for work in &branch.ids {
                        if self.restored.end(*work, number) {
                            branch.doomed.get_or_insert_with(|| UNACKNOWLEDGED.to_owned());
                        }
                    }
                }
                // Asking for it ends this connection's work, whatever the answer is.
                if let Some(branch) = self.transactions.branches.get_mut(id) {
                    branch.workers = 0;
                }
                // A client that comes back says all of a branch again until it is decided, also what is prepared.
                match (kind, self.doom_of(id)) {
                    (Kind::Prepare, Some(_)) => BranchAction::PrepareDoomed,
                    (Kind::Prepare, None) => BranchAction::Prepare,
                    (_, Some(_)) => BranchAction::CommitOnePhaseDoomed,
                    (_, None) => BranchAction::CommitOnePhase,
                }
            }
            Kind::CommitTwoPhase => BranchAction::Commit,
            Kind::Rollback => BranchAction::Rollback,
            Kind::Forget => BranchAction::Forget,
            Kind::Recover => return Err(PeerError::jms("recover names no branch")),
        };
        if matches!(kind, Kind::CommitTwoPhase | Kind::Rollback) {
            self.said_again.decided(id);
        }
        let confirm = self.confirm(reply, Purpose::Branch(Box::new(id.clone()), action))?;
        cx.requests.push(Request::Branch { xid, action, confirm });
        Ok(Done::Later)
    }

    /// The work that begins; `None`: it goes on.
    fn begin_branch(&mut self, id: &XaTransactionId, number: i32) -> Result<Option<TransactionId>, PeerError> {
        if !self.transactions.branches.contains_key(id) {
            self.check_transactions()?;
        }
        let transaction = self.transactions.next_id();
        let branch = self.transactions.branches.entry(id.clone());
        let branch = branch.or_insert_with(|| Branch { ids: Vec::new(), workers: 0, doomed: None });
        if branch.ids.len() + branch.workers >= BEGINS_PER_BRANCH_MAX {
            return Err(PeerError::limit(format!("a branch is begun more than {BEGINS_PER_BRANCH_MAX} times")));
        }
        branch.workers += 1;
        if branch.workers > 1 {
            return Ok(None);
        }
        branch.ids.push(transaction);
        self.restored.began(transaction, number);
        Ok(Some(transaction))
    }

    /// The broker did what it was asked with a branch.
    pub(super) fn branch_done(&mut self, id: &XaTransactionId, action: BranchAction) {
        match action {
            BranchAction::CommitOnePhase | BranchAction::CommitOnePhaseDoomed | BranchAction::Commit => {
                self.end_branch(id, false);
            }
            BranchAction::Rollback => self.end_branch(id, true),
            BranchAction::Start(_)
            | BranchAction::Resume(_)
            | BranchAction::End
            | BranchAction::Prepare
            | BranchAction::PrepareDoomed
            | BranchAction::Forget
            | BranchAction::HeuristicCommit
            | BranchAction::HeuristicRollback => {}
        }
    }

    /// Why the broker was asked to refuse a branch.
    pub(super) fn doom_of(&self, id: &XaTransactionId) -> Option<&str> {
        self.transactions.branches.get(id)?.doomed.as_deref()
    }

    /// The broker did not.
    pub(super) fn branch_refused(&mut self, id: &XaTransactionId, action: BranchAction, refusal: &Refusal) {
        match (refusal.kind, action) {
            (RefusalKind::Branch(BranchError::RolledBack | BranchError::HeuristicallyRolledBack), _) => {
                self.end_branch(id, true);
            }
            (RefusalKind::Branch(BranchError::HeuristicallyCommitted), _) => self.end_branch(id, false),
            (RefusalKind::Branch(BranchError::Unknown), _) => self.end_branch(id, true),
            (_, BranchAction::Start(transaction) | BranchAction::Resume(transaction)) => {
                self.restored.forget(transaction);
                if let Some(branch) = self.transactions.branches.get_mut(id) {
                    branch.ids.retain(|known| *known != transaction);
                    branch.workers = 0;
                    if branch.ids.is_empty() {
                        self.transactions.branches.remove(id);
                    }
                }
            }
            _ => {}
        }
    }

    /// Another session decided a branch, or its end undid one.
    pub(super) fn branch_ended(&mut self, transaction: TransactionId, is_committed: bool) {
        self.transactions.remove_work(transaction);
        self.restored.forget(transaction);
        if is_committed {
            self.consumers.forget_held(transaction);
        } else {
            self.consumers.release_held(transaction);
        }
    }

    fn end_branch(&mut self, id: &XaTransactionId, is_rolled_back: bool) {
        let Some(branch) = self.transactions.branches.remove(id) else { return };
        for transaction in branch.ids {
            self.restored.forget(transaction);
            if is_rolled_back {
                self.consumers.release_held(transaction);
            } else {
                self.consumers.forget_held(transaction);
            }
        }
    }

    pub(super) fn prepared(&mut self, cx: &mut Context<'_>, token: Token, vote: Vote) -> Closing {
        let Some(Confirmation { purpose, reply }) = self.confirmations.take(token) else {
            return Closing::No;
        };
        let result = match vote {
            Vote::Prepared => XA_OK,
            Vote::ReadOnly => {
                // It is over: nobody commits it any more.
                if let Purpose::Branch(id, _) = &purpose {
                    self.end_branch(id, false);
                }
                XA_READ_ONLY
            }
        };
        if let Some(correlation_id) = reply {
            self.put(cx, &IntegerResponse { correlation_id, result, ..IntegerResponse::default() }.into());
        }
        Closing::No
    }

    pub(super) fn in_doubt(&mut self, cx: &mut Context<'_>, token: Token, xids: &[Arc<Xid>]) {
        let Some(Confirmation { reply: Some(correlation_id), .. }) = self.confirmations.take(token) else {
            return;
        };
        let object = |xid: &Arc<Xid>| {
            let id = WireTransactionId::Xa(mapping::wire_xid(xid));
            Box::new(Command::Object(ObjectId::TransactionId(id)))
        };
        let data = Some(xids.iter().map(object).collect());
        self.put(cx, &DataArrayResponse { correlation_id, data, ..DataArrayResponse::default() }.into());
    }
}

/// As Java writes it.
fn text_of(id: &LocalTransactionId) -> String {
    format!("TX:{}", mapping::local_transaction_text(id))
}

fn not_started_local(id: &LocalTransactionId) -> PeerError {
    PeerError::jms(format!("Transaction '{}' has not been started.", text_of(id)))
}

fn not_started_branch(id: &XaTransactionId) -> PeerError {
    let shown = mapping::xid(id).map_or_else(|_| "XID".to_owned(), |xid| xid.to_string());
    PeerError::xa(BranchError::Unknown, &format!("Transaction '{shown}' has not been started."))
}
