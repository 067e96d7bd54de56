//! `acached_per_instance`: values that are kept with an object.

use super::*;

#[derive(Clone)]
struct Account {
    log: Log,
    id: u32,
    /// Something whose handles can be counted.
    alive: Rc<()>,
    balance: AcachedPerInstance<Account, u32, Rc<()>>,
}

#[asynq]
impl Account {
    fn new(log: &Log, id: u32) -> Self {
        Self {
            log: log.clone(),
            id,
            alive: Rc::default(),
            balance: acached_per_instance(Account::ask_balance_asynq),
        }
    }

    async fn ask_balance(&self, year: u32) -> Rc<()> {
        self.log.add(format_args!("account {}, year {year}", self.id));
        debug::sync().await;
        Rc::clone(&self.alive)
    }
}

#[test]
fn each_object_has_a_cache_of_its_own() {
    let log = Log::new();
    let accounts = [Account::new(&log, 1), Account::new(&log, 2)];
    for (account, year) in [(0, 7), (1, 7), (0, 7), (1, 8), (0, 8), (1, 8)] {
        let account: &Account = &accounts[account];
        account.balance.call(account, year);
    }
    expect![[r#"
        account 1, year 7
        account 2, year 7
        account 2, year 8
        account 1, year 8
    "#]]
    .assert_eq(&log.take());
}

#[test]
fn what_is_kept_is_freed_with_the_object() {
    let account = Account::new(&Log::new(), 1);
    let alive = Rc::clone(&account.alive);
    all([account.balance.asynq(&account, 7), account.balance.asynq(&account, 8)]).value();
    assert_eq!(Rc::strong_count(&alive), 4, "here, in the account, and twice in its cache");
    drop(account);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn clones_of_an_object_share_its_cache() {
    let log = Log::new();
    let account = Account::new(&log, 1);
    let clone = account.clone();
    account.balance.call(&account, 7);
    clone.balance.call(&clone, 7);
    assert_eq!(log.take(), "account 1, year 7\n");
}

#[test]
fn equal_calls_under_way_share_a_task() {
    let log = Log::new();
    let account = Account::new(&log, 1);
    all([7, 8, 7].map(|year| account.balance.asynq(&account, year))).value();
    assert_eq!(log.take(), "account 1, year 7\naccount 1, year 8\n");
}

#[test]
fn after_dirty_the_next_call_asks_again() {
    let log = Log::new();
    let account = Account::new(&log, 1);
    account.balance.call(&account, 7);
    account.balance.dirty(&7);
    account.balance.call(&account, 7);
    assert_eq!(log.take(), "account 1, year 7\naccount 1, year 7\n");
}

#[test]
fn a_method_of_an_rc_can_be_cached() {
    struct Shared {
        balance: AcachedPerInstance<Rc<Shared>, (), u32>,
    }

    #[asynq]
    impl Shared {
        async fn ask(self: Rc<Self>, (): ()) -> u32 {
            7
        }
    }

    let shared = Rc::new(Shared {
        balance: acached_per_instance(|this: &Rc<Shared>, ()| Rc::clone(this).ask_asynq(())),
    });
    assert_eq!(shared.balance.call(&shared, ()), 7);
}
