//! Programs with a fault: the first finding is its line, and following the advice takes the rounds it promised.

use super::*;

// One key a round: loops with awaits.

#[derive(Clone)]
struct Cart {
    ids: Vec<u32>,
}

#[asynq]
impl Cart {
    async fn total(&self) -> u32 {
        let (mut total, mut index) = (0, 0);
        while index < self.ids.len() {
            total += PRICE.load(self.ids[index]).await.unwrap(); // one key a round
            index += 1;
        }
        total
    }

    async fn total_advised(&self) -> u32 {
        PRICE.load_many(self.ids.iter().copied()).await.unwrap().iter().sum()
    }
}

#[test]
fn a_loop_in_a_method() {
    let cart = Cart { ids: IDS.to_vec() };
    check(Kind::Loop, || cart.total(), || cart.total_advised());
}

/// A loop in a helper, which is a part of the task that awaits it.
async fn stock_of_each(ids: &[u32]) -> Vec<u32> {
    let mut stock = Vec::new();
    for &id in ids {
        let count = in_stock(id).await.unwrap(); // one key a round
        stock.push(count);
    }
    stock
}

#[asynq]
async fn helper_page(ids: Vec<u32>) -> u32 {
    stock_of_each(&ids).await.iter().sum()
}

#[asynq]
async fn helper_page_advised(ids: Vec<u32>) -> u32 {
    try_all(ids.into_iter().map(in_stock)).await.unwrap().iter().sum()
}

#[test]
fn a_loop_in_a_helper() {
    check(Kind::Loop, || helper_page(IDS.to_vec()), || helper_page_advised(IDS.to_vec()));
}

macro_rules! push_price {
    ($prices:ident, $id:expr) => {
        $prices.push(PRICE.load($id).await.unwrap())
    };
}

#[asynq]
async fn prices_by_macro(ids: Vec<u32>) -> Vec<u32> {
    let mut prices = Vec::new();
    for id in ids {
        push_price!(prices, id); // one key a round
    }
    prices
}

#[asynq]
async fn prices(ids: Vec<u32>) -> Vec<u32> {
    PRICE.load_many(ids).await.unwrap()
}

#[test]
fn a_loop_with_a_macro() {
    check(Kind::Loop, || prices_by_macro(IDS.to_vec()), || prices(IDS.to_vec()));
}

#[test]
fn a_loop_in_a_request() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let in_turn = async |ids: [u32; 6]| {
        let mut prices = Vec::new();
        for id in ids {
            let price = PRICE.load(id).await.unwrap(); // one key a round
            prices.push(price);
        }
        prices
    };
    check(
        Kind::Loop,
        || runtime.block_on(request(in_turn(IDS))),
        || runtime.block_on(request(async { PRICE.load_many(IDS).await.unwrap() })),
    );
}

// Synchronous calls in tasks.

#[asynq]
async fn city_of(person: u32) -> u32 {
    let team = TEAM.load(person).await.unwrap();
    CITY.load(team).await.unwrap()
}

#[derive(Clone)]
struct Badge {
    person: u32,
}

#[asynq]
impl Badge {
    fn city(&self, price: u32) -> u32 {
        city_of(self.person + price) // synchronous call
    }

    async fn text(&self) -> String {
        let price = PRICE.load(self.person).await.unwrap();
        format!("{} for {price}", self.city(price))
    }

    async fn text_advised(&self) -> String {
        let price = PRICE.load(self.person).await.unwrap();
        format!("{} for {price}", city_of::asynq(self.person + price).await)
    }
}

#[test]
fn a_synchronous_call_in_a_method() {
    let badges: &[Badge; 6] = &IDS.map(|person| Badge { person });
    check(
        Kind::SynchronousCall,
        || all(badges.each_ref().map(|badge| badge.text_asynq())).value().to_vec(),
        || all(badges.each_ref().map(|badge| badge.text_advised_asynq())).value().to_vec(),
    );
}

#[asynq]
async fn price_with_tax(id: u32) -> u32 {
    PRICE.load(id).await.unwrap() * 6 / 5
}

#[asynq]
async fn city_of_cheapest(ids: Vec<u32>) -> u32 {
    let cheapest = ids.iter().copied().min_by_key(|&id| price_with_tax(id)); // synchronous call
    city_of::asynq(cheapest.unwrap()).await
}

#[asynq]
async fn city_of_cheapest_advised(ids: Vec<u32>) -> u32 {
    let prices = all(ids.iter().copied().map(price_with_tax::asynq)).await;
    let cheapest = prices.into_iter().zip(ids).min().unwrap().1;
    city_of::asynq(cheapest).await
}

#[test]
fn a_synchronous_call_in_a_closure() {
    check(
        Kind::SynchronousCall,
        || city_of_cheapest(IDS.to_vec()),
        || city_of_cheapest_advised(IDS.to_vec()),
    );
}

// Awaits that come too early.

#[asynq]
async fn line(id: u32) -> String {
    let price = PRICE.load(id).await.unwrap(); // early await
    let stock = match in_stock(id).await {
        Ok(stock) => stock + 1,
        Err(_) => 0,
    };
    format!("{stock} at {price}")
}

#[asynq]
async fn line_advised(id: u32) -> String {
    let (price, stock) = all((PRICE.load(id), in_stock(id))).await;
    format!("{} at {}", stock.map_or(0, |stock| stock + 1), price.unwrap())
}

#[test]
fn an_early_await_in_many_tasks() {
    check(
        Kind::EarlyAwait,
        || all(IDS.map(line::asynq)).value().to_vec(),
        || all(IDS.map(line_advised::asynq)).value().to_vec(),
    );
}

#[test]
fn an_early_await_in_an_async_block_of_a_request() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let faulty = async {
        let teams = TEAM.load_many(IDS).await.unwrap(); // early await
        let prices = futures::future::join_all(IDS.map(|id| PRICE.load(id))).await;
        (teams, prices.into_iter().map(Result::unwrap).collect::<Vec<_>>())
    };
    let advised = async {
        let (teams, prices) = futures::join!(TEAM.load_many(IDS), PRICE.load_many(IDS));
        (teams.unwrap(), prices.unwrap())
    };
    check(
        Kind::EarlyAwait,
        || runtime.block_on(request(faulty)),
        || runtime.block_on(request(advised)),
    );
}

// Batches that are split by a cache of one's own.

struct Directory {
    teams: RefCell<HashMap<u32, u32>>,
}

impl Directory {
    fn new() -> Self {
        // More keys than the others have: a batch with fewer would wait for them.
        Self { teams: RefCell::new(HashMap::from([(1, 1), (2, 2), (3, 0), (4, 1)])) }
    }

    async fn team(&self, person: u32) -> u32 {
        if let Some(&team) = self.teams.borrow().get(&person) {
            return team;
        }
        let team = TEAM.load(person).await.unwrap(); // split batch
        self.teams.borrow_mut().insert(person, team);
        team
    }
}

#[asynq]
async fn city_by_directory(directory: Rc<Directory>, person: u32) -> u32 {
    let team = directory.team(person).await;
    CITY.load(10 * person + team).await.unwrap()
}

#[asynq]
async fn city_by_team(person: u32) -> u32 {
    let team = TEAM.load(person).await.unwrap();
    CITY.load(10 * person + team).await.unwrap()
}

#[test]
fn a_cache_in_an_object() {
    let directory = Rc::new(Directory::new());
    let city = |person| city_by_directory::asynq(Rc::clone(&directory), person);
    check(
        Kind::Split,
        || all(IDS.map(city)).value().to_vec(),
        || all(IDS.map(city_by_team::asynq)).value().to_vec(),
    );
}

#[asynq]
async fn boss_of_team(teams: Rc<RefCell<Vec<u32>>>, person: u32) -> u32 {
    let known = teams.borrow().get(person as usize).copied();
    let team = if let Some(team) = known {
        team
    } else {
        TEAM.load(person).await.unwrap() // split batch
    };
    BOSS.load(10 * person + team).await.unwrap()
}

#[asynq]
async fn boss_of_team_advised(person: u32) -> u32 {
    let team = TEAM.load(person).await.unwrap();
    BOSS.load(10 * person + team).await.unwrap()
}

#[test]
fn a_cache_in_a_branch() {
    let teams = Rc::new(RefCell::new(vec![0, 1, 2, 0, 1]));
    check(
        Kind::Split,
        || all(IDS.map(|id| boss_of_team::asynq(Rc::clone(&teams), id))).value().to_vec(),
        || all(IDS.map(boss_of_team_advised::asynq)).value().to_vec(),
    );
}

// The same key in several rounds.

#[asynq]
async fn has_team(person: u32) -> bool {
    TEAM.load(person).await.unwrap() < 3
}

#[asynq]
async fn greeting(person: u32) -> String {
    if !has_team::asynq(person).await {
        return "hello".to_owned();
    }
    format!("hello team {}", TEAM.load(person).await.unwrap()) // duplicate key
}

#[asynq]
async fn greeting_advised(person: u32) -> String {
    match TEAM.load(person).await.unwrap() {
        team if team < 3 => format!("hello team {team}"),
        _ => "hello".to_owned(),
    }
}

#[test]
fn the_same_key_after_a_check() {
    check(
        Kind::Duplicate,
        || all(IDS.map(greeting::asynq)).value().to_vec(),
        || all(IDS.map(greeting_advised::asynq)).value().to_vec(),
    );
}

#[asynq]
async fn team_twice(teams: Rc<LocalLoader<u32, u32>>, person: u32) -> u32 {
    let team = teams.load(person).await.unwrap();
    let city = CITY.load(team).await.unwrap();
    city + teams.load(person).await.unwrap() // duplicate key
}

#[asynq]
async fn team_once(teams: Rc<LocalLoader<u32, u32>>, person: u32) -> u32 {
    let team = teams.load(person).await.unwrap();
    CITY.load(team).await.unwrap() + team
}

#[test]
fn the_same_key_of_a_local_loader() {
    let teams = LocalLoader::new(|ids: Vec<u32>| ids.iter().map(|id| id % 3).collect::<Vec<_>>());
    let teams = Rc::new(teams.name("team"));
    check(
        Kind::Duplicate,
        || all(IDS.map(|id| team_twice::asynq(Rc::clone(&teams), id))).value().to_vec(),
        || all(IDS.map(|id| team_once::asynq(Rc::clone(&teams), id))).value().to_vec(),
    );
}
