//! Generates the client and the server of the gRPC service `music.Music`, without protoc.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let pages = Method::builder()
        .name("pages")
        .route_name("Pages")
        .input_type("crate::tonic::Ids")
        .output_type("crate::tonic::Pages")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    let service = Service::builder().name("Music").package("music").method(pages).build();
    Builder::new().compile(&[service]);
}
