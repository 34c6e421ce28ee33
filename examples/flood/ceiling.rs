//! The ceiling: what actix-web reaches here when it decodes the form, or the query, and does
//! nothing else. No rules, no database.

use std::hint::black_box;
use std::io;
use std::process::exit;

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

/// As long as the program's reply to an ADD.
const LINE: &str = "OK|member 100000000 of site 1 (u00000000) is added";
/// NATS's answer, which makes this a NATS double too.
const AUTHSTRING: &str = "{\"result\":\"877ae8d2c00e617d443643326bb848e2\"}";

/// Serves until standard input ends, as it does when the flood process that started this one has
/// ended. Workers and the rest are actix-web's defaults, as the program's are.
pub fn serve() -> io::Result<()> {
    std::thread::spawn(|| exit(io::copy(&mut io::stdin(), &mut io::sink()).is_err().into()));
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(|| {
            App::new()
                .route("/postback/{token}", web::post().to(answer))
                .route("/auth", web::get().to(answer_query))
                .route("/api/member/authstring", web::get().to(answer_api))
        })
        .bind(("127.0.0.1", 0))?;
        for address in server.addrs() {
            eprintln!("listening on {address}");
        }
        server.run().await
    })
}

async fn answer(body: Bytes) -> HttpResponse {
    fixed(&body, "text/plain; charset=utf-8", LINE)
}

async fn answer_query(request: HttpRequest) -> HttpResponse {
    fixed(request.query_string().as_bytes(), "text/plain; charset=utf-8", LINE)
}

async fn answer_api(request: HttpRequest) -> HttpResponse {
    fixed(request.query_string().as_bytes(), "application/json", AUTHSTRING)
}

fn fixed(form: &[u8], content_type: &'static str, text: &'static str) -> HttpResponse {
    match serde_urlencoded::from_bytes::<Vec<(String, String)>>(form) {
        Ok(pairs) if !black_box(&pairs).is_empty() => {
            HttpResponse::Ok().content_type(content_type).body(text)
        }
        _ => HttpResponse::BadRequest().finish(),
    }
}
