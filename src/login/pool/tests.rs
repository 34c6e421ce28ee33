use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};

use super::*;
use crate::identity::{MemberId, SiteId};
use crate::login::remembered::CheckedRow;
use crate::password::{Cost, HashKind, Password, Steps, Stored};

fn typed(text: &str) -> Password {
    Password::parse(text).unwrap()
}

fn site() -> SiteId {
    SiteId::parse("1").unwrap()
}

/// Longer than a panic takes to print its backtrace, during which the one thread does nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool of one thread that reports when it begins a check, and hashes it on a signal. The
/// password `right` is right.
struct Scene {
    // Dropped before the pool, so that the thread ends even if a test fails.
    go: Sender<()>,
    begun: Receiver<String>,
    pool: Arc<Pool>,
    remembered: Arc<Remembered>,
}

impl Scene {
    fn new() -> Self {
        let remembered = Arc::new(Remembered::new().unwrap());
        let (tell, begun) = channel();
        let (go, gate) = channel();
        let ends = Mutex::new(Some((tell, gate)));
        let pool = Pool::with(1, Arc::clone(&remembered), || {
            let (tell, gate) = ends.lock().take().unwrap();
            move |check: &PasswordCheck| {
                let text = check.typed.expose().to_owned();
                tell.send(text.clone()).unwrap();
                gate.recv().unwrap();
                assert_ne!(text, "panic", "on purpose");
                match text.as_str() {
                    "broken" => Err(VerifyError::Hash),
                    "without memory" => Err(VerifyError::Argon2(argon2::Error::OutOfMemory)),
                    text => Ok(text == "right"),
                }
            }
        });
        Self { go, begun, pool: Arc::new(pool.unwrap()), remembered }
    }

    fn key(&self, text: &str) -> RememberedKey {
        self.remembered.key(CheckedRow::UnknownName(site(), "bob"), &typed(text))
    }

    async fn ask(&self, text: &str) -> Result<bool, Busy> {
        self.ask_from("203.0.113.9", text).await
    }

    async fn ask_from(&self, address: &str, text: &str) -> Result<bool, Busy> {
        self.pool.run_within(PATIENCE, self.key(text), check(text), stranger(address)).await
    }

    /// Asks from a network that is known for the member.
    async fn ask_at_home(&self, text: &str) -> Result<bool, Busy> {
        let asker = Asker { is_known: true, ..stranger("203.0.113.9") };
        self.pool.run_within(PATIENCE, self.key(text), check(text), asker).await
    }

    async fn ask_without_patience(&self, text: &str) -> Result<bool, Busy> {
        self.pool
            .run_within(Duration::ZERO, self.key(text), check(text), stranger("203.0.113.9"))
            .await
    }

    fn begins_with(&self) -> String {
        self.begun.recv().unwrap()
    }

    fn lets_go(&self, hashes: usize) {
        for _ in 0..hashes {
            self.go.send(()).unwrap();
        }
    }
}

fn check(text: &str) -> PasswordCheck {
    PasswordCheck { row: None, typed: typed(text) }
}

fn stranger(address: &str) -> Asker {
    Asker { address: address.parse().unwrap(), is_known: false }
}

/// Begins to ask, and leaves the answer for later.
fn begin(asked: Pin<&mut impl Future<Output = Result<bool, Busy>>>) {
    assert_eq!(asked.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending);
}

#[test]
fn a_processor_is_left_for_everything_else() {
    for (processors, threads) in [(1, 1), (2, 1), (3, 2), (5, 4), (64, 4)] {
        assert_eq!(threads_for(processors), threads, "{processors}");
    }
}

#[actix_web::test]
async fn an_answer_is_remembered() {
    let scene = Scene::new();
    scene.lets_go(2);
    assert_eq!((scene.ask("right").await, scene.ask("wrong").await), (Ok(true), Ok(false)));
    assert_eq!(scene.remembered.get(&scene.key("right")), Some(true));
    assert_eq!(scene.remembered.get(&scene.key("wrong")), Some(false));
    // The thread cannot hash now, so the answer was remembered.
    assert_eq!(scene.ask("right").await, Ok(true));
}

#[actix_web::test]
async fn ten_who_ask_the_same_share_one_hash_running_or_waiting() {
    let scene = Scene::new();
    let mut first = pin!(scene.ask("wrong"));
    begin(first.as_mut());
    assert_eq!(scene.begins_with(), "wrong");
    let mut asked: Vec<_> =
        ["wrong", "right"].repeat(10).into_iter().map(|text| Box::pin(scene.ask(text))).collect();
    for one in &mut asked {
        begin(one.as_mut());
    }
    scene.lets_go(2);
    assert_eq!(first.await, Ok(false));
    for (nth, one) in asked.into_iter().enumerate() {
        assert_eq!(one.await, Ok(nth % 2 == 1), "{nth}");
    }
    assert_eq!(scene.begins_with(), "right");
    assert!(scene.begun.try_recv().is_err(), "two hashes for 21 checks");
}

#[actix_web::test]
async fn a_full_queue_is_busy_until_a_check_is_withdrawn() {
    let scene = Scene::new();
    let mut running = pin!(scene.ask("running"));
    begin(running.as_mut());
    assert_eq!(scene.begins_with(), "running");
    let texts: Vec<String> = (0..64).map(|number| number.to_string()).collect();
    let mut waiting: Vec<_> = texts.iter().map(|text| Box::pin(scene.ask(text))).collect();
    for one in &mut waiting {
        begin(one.as_mut());
    }
    assert_eq!(scene.ask("one more").await, Err(Busy));
    begin(pin!(scene.ask("63")).as_mut());
    // A visitor hangs up: their place is free, and their check is not hashed.
    drop(waiting.remove(0));
    let mut another = pin!(scene.ask("right"));
    begin(another.as_mut());
    scene.lets_go(65);
    assert_eq!((running.await, another.await), (Ok(false), Ok(true)));
    assert_eq!(scene.begins_with(), "1");
}

/// After a restart no password is remembered, and all members come at once.
#[actix_web::test]
async fn two_hundred_who_were_here_before_wait_for_their_turn_and_guessers_take_no_place_of_theirs()
{
    let scene = Scene::new();
    let mut running = pin!(scene.ask("running"));
    begin(running.as_mut());
    assert_eq!(scene.begins_with(), "running");
    let texts: Vec<String> = (0..264).map(|number| number.to_string()).collect();
    let (guesses, members) = texts.split_at(64);
    let mut guessers: Vec<_> = guesses.iter().map(|text| Box::pin(scene.ask(text))).collect();
    let mut waiting: Vec<_> =
        members.iter().map(|text| Box::pin(scene.ask_at_home(text))).collect();
    for one in &mut guessers {
        begin(one.as_mut());
    }
    for one in &mut waiting {
        begin(one.as_mut());
    }
    assert_eq!(scene.ask("one guess more").await, Err(Busy));
    scene.lets_go(265);
    for one in waiting {
        assert_eq!(one.await, Ok(false), "the answer of the hash");
    }
    let order: Vec<String> = (0..264).map(|_| scene.begins_with()).collect();
    let is_guess = |text: &String| guesses.contains(text);
    let last = order.iter().rposition(|text| !is_guess(text)).unwrap();
    assert_eq!(order[..last].iter().filter(|text| is_guess(text)).count(), 29, "one turn in eight");
}

#[actix_web::test]
async fn more_members_than_there_are_places_for_are_busy() {
    let scene = Scene::new();
    let mut running = pin!(scene.ask("running"));
    begin(running.as_mut());
    assert_eq!(scene.begins_with(), "running");
    let texts: Vec<String> = (0..512).map(|number| number.to_string()).collect();
    let mut waiting: Vec<_> = texts.iter().map(|text| Box::pin(scene.ask_at_home(text))).collect();
    for one in &mut waiting {
        begin(one.as_mut());
    }
    assert_eq!(scene.ask_at_home("one more").await, Err(Busy));
    begin(pin!(scene.ask("a stranger")).as_mut());
}

/// Regression: a visitor who changed addresses within a provider's network filled the queue,
/// and first logins got 503.
#[actix_web::test]
async fn who_comes_from_elsewhere_takes_the_place_of_one_of_those_who_fill_the_queue() {
    let scene = Scene::new();
    let mut running = pin!(scene.ask("running"));
    begin(running.as_mut());
    assert_eq!(scene.begins_with(), "running");
    let attempts: Vec<(String, String)> =
        (0..64).map(|number| (format!("2001:db8:1:{number}::1"), number.to_string())).collect();
    let mut flood: Vec<_> =
        attempts.iter().map(|(address, text)| Box::pin(scene.ask_from(address, text))).collect();
    for one in &mut flood {
        begin(one.as_mut());
    }
    assert_eq!(
        scene.ask_from("2001:db8:1:ffff::1", "one more").await,
        Err(Busy),
        "another of them"
    );
    let mut stranger = pin!(scene.ask_from("198.51.100.1", "right"));
    begin(stranger.as_mut());
    assert_eq!(flood.pop().unwrap().await, Err(Busy), "the last of them goes");
    let mut member = pin!(scene.ask_at_home("panic"));
    begin(member.as_mut());
    scene.lets_go(5);
    assert_eq!((member.await, stranger.await), (Err(Busy), Ok(true)));
    let order: Vec<String> = (0..4).map(|_| scene.begins_with()).collect();
    // The first check of the flood came from an address without earlier checks. The second had
    // waited longest at the fourth turn.
    assert_eq!(order, ["panic", "0", "1", "right"], "a known network first");
}

#[actix_web::test]
async fn who_waits_too_long_is_withdrawn_and_never_hashed() {
    let scene = Scene::new();
    let mut running = pin!(scene.ask("running"));
    begin(running.as_mut());
    assert_eq!(scene.begins_with(), "running");
    assert_eq!(scene.ask_without_patience("late").await, Err(Busy));
    scene.lets_go(2);
    assert_eq!((running.await, scene.ask("right").await), (Ok(false), Ok(true)));
    assert_eq!(scene.begins_with(), "right");
}

#[actix_web::test]
async fn what_has_begun_gets_its_answer_however_long_it_takes() {
    let scene = Scene::new();
    let mut first = pin!(scene.ask("right"));
    begin(first.as_mut());
    assert_eq!(scene.begins_with(), "right");
    let late =
        futures_util::future::join(scene.ask_without_patience("right"), async { scene.lets_go(1) });
    assert_eq!((late.await.0, first.await), (Ok(true), Ok(true)));
}

#[actix_web::test]
async fn a_row_that_cannot_say_is_not_opened_and_asked_again_next_time() {
    let scene = Scene::new();
    scene.lets_go(2);
    assert_eq!((scene.ask("broken").await, scene.ask("broken").await), (Ok(false), Ok(false)));
    assert_eq!(scene.remembered.get(&scene.key("broken")), None);
    assert_eq!((scene.begins_with(), scene.begins_with()), ("broken".into(), "broken".into()));
}

#[actix_web::test]
async fn a_hash_for_which_there_is_no_memory_is_no_answer() {
    let scene = Scene::new();
    scene.lets_go(2);
    assert_eq!(
        (scene.ask("without memory").await, scene.ask("without memory").await),
        (Err(Busy), Err(Busy))
    );
    assert_eq!(scene.remembered.get(&scene.key("without memory")), None);
}

#[actix_web::test]
async fn a_panic_costs_one_answer_and_no_thread() {
    let scene = Scene::new();
    scene.lets_go(2);
    assert_eq!((scene.ask("panic").await, scene.ask("right").await), (Err(Busy), Ok(true)));
}

#[actix_web::test]
async fn a_stop_answers_what_has_begun_and_turns_the_others_away() {
    let scene = Scene::new();
    let (mut running, mut waiting) = (pin!(scene.ask("right")), pin!(scene.ask("waiting")));
    begin(running.as_mut());
    assert_eq!(scene.begins_with(), "right");
    begin(waiting.as_mut());
    let pool = Arc::clone(&scene.pool);
    let stop = std::thread::spawn(move || pool.stop());
    assert_eq!(waiting.await, Err(Busy));
    scene.lets_go(1);
    assert_eq!((running.await, scene.ask("later").await), (Ok(true), Err(Busy)));
    stop.join().unwrap();
    scene.pool.stop();
}

#[actix_web::test]
async fn the_real_threads_verify_a_row_and_an_unknown_name() {
    let vault = Vault::from_key([7; 32]);
    let key = Key { site: site(), member: MemberId::parse("71").unwrap() };
    let stored = Stored::Sealed(vault.seal_password(key, &typed("secret")));
    let remembered = Arc::new(Remembered::new().unwrap());
    let steps = Arc::new(Steps::new(Cost::lowest(HashKind::Argon2id)));
    let verifier = || Verifier::new(Arc::clone(&steps));
    let pool = Pool::start(verifier, &vault, Arc::clone(&remembered)).unwrap();
    for (text, opens) in [("secret", true), ("other", false)] {
        let asked = remembered.key(CheckedRow::Member(key, &stored), &typed(text));
        let check = PasswordCheck { row: Some((key, stored.clone())), typed: typed(text) };
        assert_eq!(pool.run(asked, check, stranger("203.0.113.9")).await, Ok(opens), "{text}");
    }
    let unknown = remembered.key(CheckedRow::UnknownName(site(), "alice"), &typed("secret"));
    assert_eq!(pool.run(unknown, check("secret"), stranger("203.0.113.9")).await, Ok(false));
}
